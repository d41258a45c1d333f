//! A programme's folder as an archive: tar, packed with gzip or not. What unpacks is bounded, and no path leaves the folder.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

/// How much an archive unpacks to at most, and how many files it has.
const UNPACKED_MAX_BYTES: u64 = 16 * 1024 * 1024;
const FILES_MAX: usize = 2_000;

/// The files of an archive by their names within the folder. An archive has the folder or what is in it.
pub(super) fn files(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read> = if is_packed {
        Box::new(MultiGzDecoder::new(Cursor::new(bytes)))
    } else {
        Box::new(Cursor::new(bytes))
    };
    // One byte more than is taken, so that what is too much is noticed.
    let mut archive = tar::Archive::new(reader.take(UNPACKED_MAX_BYTES + 1));
    let unreadable = |error: std::io::Error| {
        format!("this is no whole tar archive of at most {} MiB ({error})", UNPACKED_MAX_BYTES >> 20)
    };
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path_bytes();
        let path = String::from_utf8_lossy(&path);
        let name = path.trim_start_matches("./").to_owned();
        // As when a folder is read: a version control's and an editor's files are passed over.
        if name.split('/').any(|part| part.starts_with('.')) || name.ends_with('~') {
            continue;
        }
        if files.len() >= FILES_MAX {
            return Err(format!("a programme has at most {FILES_MAX} files"));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(unreadable)?;
        files.insert(name, content);
    }
    let Some(folder) = files.keys().find_map(|name| name.strip_suffix("programme.toml")).map(str::to_owned)
    else {
        return Err("there is no programme.toml in it; pack the folder with `tar -czf programme.tar.gz DIR`"
            .to_owned());
    };
    let inside = |(name, content): (String, Vec<u8>)| Some((name.strip_prefix(&folder)?.to_owned(), content));
    Ok(files.into_iter().filter_map(inside).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_folder_is_found_in_its_archive() {
        let plain =
            packed(&[("jcsp/programme.toml", "a"), ("jcsp/rules/x.cedar", "b"), ("jcsp/.git/x", "c")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let bare = packed(&[("programme.toml", "a"), ("rules/x.cedar", "b"), ("rules/x.cedar~", "c")]);
        for bytes in [plain, gzip.finish().unwrap(), bare] {
            let files = files(&bytes).unwrap();
            let names: Vec<&str> = files.keys().map(String::as_str).collect();
            assert_eq!(names, ["programme.toml", "rules/x.cedar"]);
            assert_eq!(files["rules/x.cedar"], b"b");
        }
    }

    #[test]
    fn what_is_no_archive_of_a_programme_says_so() {
        let whole = packed(&[("jcsp/programme.toml", "a")]);
        for bytes in [&b""[..], b"nothing", &whole[..600], &packed(&[("x.txt", "a")]), &[0x1f, 0x8b, 0]] {
            assert!(files(bytes).is_err());
        }
    }

    #[test]
    fn what_would_unpack_to_too_much_is_refused() {
        let mut header = tar::Header::new_gnu();
        header.set_path("programme.toml").unwrap();
        header.set_size(UNPACKED_MAX_BYTES * 2);
        header.set_cksum();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(header.as_bytes()).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..(UNPACKED_MAX_BYTES * 2) >> 20 {
            gzip.write_all(&zeros).unwrap();
        }
        let error = files(&gzip.finish().unwrap()).unwrap_err();
        assert!(error.contains("16 MiB") || error.contains("programme.toml"), "{error}");
    }
}
