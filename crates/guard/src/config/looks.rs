//! Whether the files that a configuration names can be used: what a start would stumble over one by one, all at once.
//!
//! A guard that starts reads them where it needs them. `ringfence guard --check` reads them too, uses nothing, and keeps nothing.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{Allow, Config, TsigKey};
use crate::allow::Allowed;
use crate::faces::{forward, rpz};

/// What a file is for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The credential for the hub.
    Token,
    /// Certificates to trust.
    Trust,
    /// An allow list.
    AllowFile,
    /// A folder of warning lists.
    WarningLists,
    /// The secret of a key.
    Secret(TsigKey),
    /// The forwarder's certificate, with its key.
    Certificate,
    /// The folder of a file that is written to, which itself may come later.
    FolderOf,
}

/// A file that is named, and where.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) span: Range<usize>,
    pub(super) path: PathBuf,
    pub(super) what: What,
}

/// What is wrong with a file, and what to do about it.
pub(super) fn fault(named: &Named, config: &Config) -> Option<(String, &'static str)> {
    let path = named.path.as_path();
    let told = |why: String, remedy| Some((format!("`{}` {why}", path.display()), remedy));
    match &named.what {
        What::Token => {
            let remedy =
                "name the file with the guard's token; `ringfence token add --member NAME` prints it once";
            match fs::read_to_string(path) {
                Ok(token) if token.trim().is_empty() => told("has no token in it".to_owned(), remedy),
                Ok(_) => None,
                Err(error) => told(format!("cannot be read: {error}"), remedy),
            }
        }
        What::Trust => {
            let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let remedy =
                "name a file with certificates in PEM, or leave it out to trust the well-known authorities";
            match chain {
                Ok(chain) if chain.is_empty() => told("has no certificate in it".to_owned(), remedy),
                Ok(_) => None,
                Err(error) => told(format!("cannot be used: {error}"), remedy),
            }
        }
        What::AllowFile => of_allow(&Allow { files: vec![path.to_owned()], ..Allow::default() }),
        What::WarningLists => of_allow(&Allow { warning_lists: vec![path.to_owned()], ..Allow::default() }),
        What::Secret(key) => {
            let remedy = "name a file with the secret in base64; `tsig-keygen -a hmac-sha256` makes one";
            rpz::tsig_key(key).err().map(|error| (error.to_string(), remedy))
        }
        What::Certificate => {
            let settled = config.sinkhole.forwarder.as_ref()?;
            let remedy = "name a certificate chain and its private key in PEM";
            forward::certificate(settled).err().map(|error| (error.to_string(), remedy))
        }
        What::FolderOf => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let remedy = "make it, as the guard's user may write there, or name another";
            (!folder.is_dir()).then(|| (format!("there is no folder `{}`", folder.display()), remedy))
        }
    }
}

fn of_allow(allow: &Allow) -> Option<(String, &'static str)> {
    let remedy = "the guard does not start without its allow lists";
    Allowed::new([0; 32]).load(allow, &[]).err().map(|error| (error.to_string(), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_told_with_their_lines_all_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let text = "data = \"state\"\n[hub]\nurl = \"https://hub.example\"\ntoken_file = \"token\"\ntrust = \"trust.pem\"\n\
             [[feed]]\ncollection = \"a\"\n[allow]\nfiles = [\"ours.txt\"]\nwarning_lists = [\"lists\"]\n[sinkhole.rpz]\n\
             listen = []\norigin = \"rpz.example\"\nlogs = [\"nowhere/rpz.log\"]\n[[sinkhole.rpz.key]]\nname = \"k\"\n\
             secret_file = \"secret\"\n[sinkhole.forwarder]\nupstreams = [\"127.0.0.1:53\"]\ndot = [\"127.0.0.1:853\"]\n\
             tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n[flows]\nlisten = []\nalerts_file = \"none/alerts\"\n";
        put("guard.toml", text);
        put("ours.txt", "fine.example\nnot fine\n");
        let path = folder.path().join("guard.toml");
        assert!(Config::load(&path).is_ok(), "only a start and a check look at files");
        let lines = || {
            let problems = Config::check(&path).err();
            let problems = problems.map(super::super::Problems::into_vec).unwrap_or_default();
            problems.iter().map(|problem| problem.line.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(lines(), [4, 5, 9, 10, 14, 17, 21, 25]);
        let told = Config::check(&path).unwrap_err().to_string();
        assert!(told.contains("ours.txt:2: `not fine`") && told.contains("token add --member"), "{told}");
        put("token", " \n");
        put("trust.pem", "no certificate");
        put("ours.txt", "fine.example\n");
        put("secret", "not base64!");
        for made in ["lists", "nowhere", "none"] {
            fs::create_dir(folder.path().join(made)).unwrap();
        }
        assert_eq!(lines(), [4, 5, 17, 21], "they are there, and of no use");
        put("token", "t");
        put("secret", "ZXhhbXBsZS1zZWNyZXQtcmVwbGFjZS1tZS0wMDAwMDA=");
        assert_eq!(lines(), [5, 21]);
    }

    #[test]
    fn what_a_start_would_stumble_over_is_told_without_a_look() {
        let text = "data = \"state\"\n[hub]\nurl = \"https://hub.example\"\ntoken_file = \"token\"\n[[feed]]\ncollection = \"a\"\n\
             [allow]\nvalues = [\"fine.example\",\n\"not fine !!\"]\n[sinkhole.addresses]\nc2 = [\"192.0.2.1\", \"192.0.2.2\"]\n\
             [sinkhole.rpz]\nlisten = []\norigin = \"rpz.example\"\n[[sinkhole.rpz.key]]\nname = \"k k\"\nsecret_file = \"s\"\n\
             [[export]]\nformat = \"csv\"\npath = \"one\"\n[[export]]\nformat = \"names\"\npath = \"one\"\n";
        let problems = Config::parse("guard.toml", text, Path::new(".")).unwrap_err();
        let told: Vec<_> = problems.as_slice().iter().map(|problem| problem.line).collect();
        assert_eq!(told, [9, 11, 16, 23].map(Some), "{problems}");
    }
}
