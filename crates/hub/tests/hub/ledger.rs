//! The ledger's files, verified from what the hub serves and nothing else.

use std::convert::Infallible;

use ledger::verify::{LogSource, verify_log};
use ledger::{Checkpoint, Tile, TileSource, TlogProof, Trust};
use model::Role;

use crate::{Face, indicators};

/// Reads the log over HTTP.
struct Served<'f> {
    face: &'f Face,
    runtime: tokio::runtime::Handle,
}

impl TileSource for Served<'_> {
    type Error = Infallible;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, Infallible> {
        let answer = self.runtime.block_on(self.face.ask("GET", &format!("/ledger/{tile}")).send());
        Ok(answer.status.is_success().then_some(answer.body))
    }
}

impl LogSource for Served<'_> {
    fn checkpoint(&mut self) -> Result<Vec<u8>, Infallible> {
        Ok(self.runtime.block_on(self.face.ask("GET", "/ledger/checkpoint").send()).expect(200).body)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn trust(face: &Face, runtime: &tokio::runtime::Runtime) -> Trust {
    let vkey = runtime.block_on(face.ask("GET", "/ledger/vkey").send()).expect(200);
    Trust::in_key(String::from_utf8(vkey.body).unwrap().trim().parse().unwrap()).unwrap()
}

#[test]
fn a_stranger_verifies_the_whole_log_and_its_growth() {
    let (runtime, face) = (runtime(), Face::new());
    let trust = trust(&face, &runtime);
    let mut served = Served { face: &face, runtime: runtime.handle().clone() };
    let mut older: Option<Checkpoint> = None;
    // Each round adds a publication and a disclosure; the second makes more than one bundle.
    for rounds in [0_u64..20, 20..160] {
        for n in rounds {
            let _ = face.world.publish("open", &indicators(n..n + 1));
            runtime.block_on(face.get(&face.operator, "/jcsp/collections/open/objects/?limit=1")).expect(200);
        }
        let mut entries = 0;
        let report = verify_log(&mut served, &trust, older.as_ref(), |_, _| entries += 1).unwrap();
        assert_eq!(entries, face.world.exchange.ledger_head().size);
        older = Some(report.checkpoint);
    }
    assert!(older.is_some_and(|head| head.size > 256));
}

#[tokio::test]
async fn tiles_say_how_long_they_last() {
    let face = Face::new();
    let tile = face.ask("GET", "/ledger/tile/0/000.p/1").send().await.expect(200);
    assert_eq!(tile.header("content-type"), Some("application/octet-stream"));
    assert_eq!(tile.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(tile.body.len(), 32);
    let checkpoint = face.ask("GET", "/ledger/checkpoint").send().await.expect(200);
    assert_eq!(checkpoint.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(checkpoint.header("cache-control"), Some("public, no-cache"));
    for path in ["0/000", "0/001", "9/000", "0/0", "entries/000.p/255", "0/000.p/0", "x", "0/../0/000.p/1"] {
        face.ask("GET", &format!("/ledger/tile/{path}")).send().await.expect(404);
    }
}

#[test]
fn a_receipt_goes_to_whom_it_concerns() {
    let (runtime, face) = (runtime(), Face::new());
    let trust = trust(&face, &runtime);
    let (alpha, login) = face.member("Alpha", &["open"]);
    let (_, beta) = face.member("Beta", &["open"]);
    let overseer = face.role(Role::Overseer);
    let _ = face.world.publish("open", &indicators(1..2));
    let get = |login, path: &str| runtime.block_on(face.get(login, path));
    get(&login, "/jcsp/collections/open/objects/").expect(200);
    let path = format!("/ledger/receipt/{}", face.world.exchange.ledger_head().size - 1);
    for reader in [&login, &overseer] {
        let receipt = get(reader, &path).expect(200);
        let proof: TlogProof = String::from_utf8(receipt.body).unwrap().parse().unwrap();
        let (opening, _) = proof.verify_opening(&trust).unwrap();
        assert_eq!(opening.read().unwrap().member(), Some(alpha.id.as_str()));
    }
    let hidden = get(&beta, &path).expect(404).json();
    let absent = get(&beta, "/ledger/receipt/100000").expect(404).json();
    assert_eq!(hidden["title"], absent["title"]);
    get(&beta, "/ledger/receipt/first").expect(404);
}
