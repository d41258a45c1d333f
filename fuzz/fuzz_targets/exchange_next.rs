//! The opaque `next` of a member that makes one up, or bends one that it was given.
//!
//! The first byte says which: odd inputs are bytes to change in a real cursor, even ones are the cursor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taxii::ObjectFilter;
use testkit::{World, indicator};

struct Setting {
    world: World,
    member: model::Caller,
    real: String,
}

thread_local! {
    static SETTING: Setting = {
        let world = World::new(1);
        let (_, member) = world.member("the reader", &["open", "programme"]);
        let objects: Vec<Vec<u8>> = (0..4).map(|n| indicator(n, 0, &[])).collect();
        assert_eq!(world.publish("indicators", &objects).stored, 4);
        world.pass(std::time::Duration::from_secs(1));
        let filter = ObjectFilter { limit: std::num::NonZeroU32::new(1), ..ObjectFilter::default() };
        let page = world.exchange.objects(&member, "indicators", &filter).expect("the member can poll");
        let real = page.served.next.expect("there are more objects");
        Setting { world, member, real }
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    SETTING.with(|setting| {
        let next = if first % 2 == 0 {
            String::from_utf8_lossy(rest).into_owned()
        } else {
            let mut bytes = setting.real.clone().into_bytes();
            for change in rest.chunks_exact(2) {
                let at = usize::from(change[0]) % bytes.len();
                bytes[at] = change[1] & 0x7f;
            }
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let limit = std::num::NonZeroU32::new(1);
        let filter = ObjectFilter { limit, next: Some(next.clone()), ..ObjectFilter::default() };
        let answer = setting.world.exchange.objects(&setting.member, "indicators", &filter);
        assert!(
            answer.is_err() || next == setting.real,
            "a cursor that was not given out is refused: {next}"
        );
    });
});
