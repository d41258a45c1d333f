//! A programme's folder. The first byte chooses the file of the template that the input takes the place of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use programme::{Programme, template};

const FILES: [&str; 4] = ["programme.toml", "release.cedar", "schema.cedarschema", "cases/release.toml"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let mut files = template();
    files.insert(FILES[usize::from(*choice) % FILES.len()].to_owned(), content.to_vec());
    match Programme::from_files(&files) {
        Ok(programme) => {
            let again =
                Programme::from_files(programme.files()).expect("a programme's files make a programme");
            assert_eq!(again.digest(), programme.digest());
        }
        Err(error) => {
            assert!(!error.as_slice().is_empty(), "a refusal says what is wrong");
            for problem in error.as_slice() {
                assert!(!problem.message.is_empty() && !problem.remedy.is_empty());
            }
        }
    }
});
