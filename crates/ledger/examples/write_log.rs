//! Writes a log of N disclosures into a folder, as any C2SP tlog-tiles client can read it:
//!
//! ```text
//! cargo run --release -p ledger --example write_log -- DIR N
//! ```
//!
//! Beside the log lie `vkey` (the log's public key), `older` (a checkpoint of the first half) and
//! `receipt.tlog-proof` (of the entry in the middle). The key and the salts are known to everybody: this is for
//! trying out verifiers.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledger::entry::{Body, Disclosure, Opening, Range, Resource};
use ledger::note::SignedNote;
use ledger::verify::receipt;
use ledger::{Checkpoint, NoteSigner, Tile, TileSource, Trust, Writer};
use sha2::{Digest as _, Sha256};

struct Folder(PathBuf);

impl Folder {
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, bytes)
    }
}

impl TileSource for Folder {
    type Error = io::Error;

    fn tile(&mut self, tile: Tile) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(tile.to_string())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn opening(n: u64) -> Opening {
    let body = Body::Disclosure(Disclosure {
        at: "2026-01-10T00:00:00Z".to_owned(),
        member: format!("member:{:016x}", n % 9),
        credential: "credential:1".to_owned(),
        collection: "indicators".to_owned(),
        epoch: 1 + n / 1000,
        resource: Resource::Objects,
        ranges: vec![Range { segment: n, first: 0, count: 1000 }],
        except: Vec::new(),
        count: 1000,
        digest: format!("{:x}", Sha256::digest(n.to_be_bytes())),
        query: "limit=1000".to_owned(),
    });
    Opening { salt: Sha256::digest(n.to_le_bytes()).into(), body: body.to_bytes() }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(size)) = (arguments.next(), arguments.next()) else {
        return Err("usage: write_log DIR N".into());
    };
    let (mut folder, size) = (Folder(folder.into()), size.parse::<u64>()?);
    let key = NoteSigner::from_seed("log.example/demonstration".parse()?, &[1; 32]);
    let trust = Trust::in_key(key.verifier())?;
    let sign = |writer: &Writer| -> (Checkpoint, SignedNote) {
        let head = Checkpoint::new(trust.origin.clone(), writer.size(), writer.root());
        let signed = head.sign(&[&key]);
        (head, signed)
    };

    let mut writer = Writer::new();
    for n in 0..size {
        if n == size / 2 {
            folder.write("older", sign(&writer).1.to_string().as_bytes())?;
        }
        writer.append(&opening(n).commitment())?;
        for (tile, bytes) in writer.take_full() {
            folder.write(&tile.to_string(), &bytes)?;
        }
    }
    for (tile, bytes) in writer.partial() {
        folder.write(&tile.to_string(), bytes)?;
    }
    let (head, signed) = sign(&writer);
    folder.write("checkpoint", signed.to_string().as_bytes())?;
    folder.write("vkey", format!("{}\n", key.verifier()).as_bytes())?;
    if size > 0 {
        let (index, opening) = (size / 2, opening(size / 2));
        let extra = Some(opening.to_bytes());
        let proof = receipt(&mut folder, &head, signed, index, &opening.commitment(), extra)?;
        folder.write("receipt.tlog-proof", proof.to_string().as_bytes())?;
    }
    print!("{head}");
    Ok(())
}
