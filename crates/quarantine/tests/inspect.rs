//! What is seen in a mail, and what a hostile one costs.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod common;

use std::fmt::Write as _;

use common::{Packing, base64, gzip, look, tarball, with_attachment, zip};
use proptest::prelude::*;
use quarantine::inspect::{Limits, Unexamined};
use quarantine::judge::Action;
use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> String {
    format!("sha256 {}", hex::encode(Sha256::digest(bytes)))
}

#[track_caller]
fn sees(mail: &[u8], wanted: &[&str]) {
    let (_, seen) = look(mail, &Limits::default());
    for wanted in wanted {
        assert!(seen.contains(*wanted), "`{wanted}` is not among {seen:#?}");
    }
}

#[test]
fn headers_are_seen_decoded() {
    let mail = b"Received: from x (mail.evil.example [192.0.2.66])\r\n\tby mx.example with ESMTP id 4Fx;\r\n\
        \tMon, 23 Nov 2026 10:00:00 +0000\r\n\
        Received: from y ([IPv6:2001:db8::66]) by z\r\n\
        X-Originating-IP: [198.51.100.9]\r\n\
        From: =?utf-8?B?QsO8Y2hlcg==?= <Alice@Evil.Example>\r\n\
        Reply-To: other@reply.example, <third@reply.example>\r\n\
        To: Bob <bob@victim.example>\r\nCc: carol@victim.example\r\n\
        Subject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?Q?_http://subject.example/?=\r\n\r\nbody\r\n";
    sees(
        mail,
        &[
            "address 192.0.2.66",
            "address 2001:db8::66",
            "address 198.51.100.9",
            "mailbox From Alice@Evil.Example",
            "sender-name Bücher",
            "name Evil.Example",
            "mailbox ReplyTo other@reply.example",
            "mailbox ReplyTo third@reply.example",
            "mailbox Recipient bob@victim.example",
            "mailbox Recipient carol@victim.example",
            "subject Grüße http://subject.example/",
            "url http://subject.example/",
        ],
    );
    let (report, seen) = look(mail, &Limits::default());
    assert!(!seen.contains("name victim.example"), "a victim's domain is no sender's");
    assert_eq!(report.subject, "Grüße http://subject.example/");
}

#[test]
fn links_are_seen_in_every_encoding() {
    let html = "<p>see <a href=\"http://attr.example/?a=1&amp;b=2\">here</a> or h&#116;tp://vis<b></b>ible.example</p>";
    let utf16: Vec<u8> =
        "<html>http://wide.example/</html>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mail = format!(
        "Subject: x\r\nContent-Type: multipart/alternative; boundary=outer\r\n\r\n\
         preamble http://preamble.example/\r\n\
         --outer\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         hxxp://def[.]anged.exam=\r\nple/p=61th\r\n\
         --outer\r\nContent-Type: multipart/related; boundary=\"inner\"\r\n\r\n\
         --inner\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --inner\r\nContent-Type: text/html; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --inner--\r\n\
         --outer--\r\nepilogue: http://epilogue.example/\r\n",
        base64(html.as_bytes()),
        base64(&utf16),
    );
    sees(
        mail.as_bytes(),
        &[
            "url http://preamble.example/",
            "url http://def.anged.example/path",
            "name def.anged.example",
            "url http://attr.example/?a=1&b=2",
            "name visible.example",
            "name wide.example",
            "url http://epilogue.example/",
        ],
    );
}

#[test]
fn a_mail_that_keeps_to_no_rule_is_read_as_it_is() {
    let cases: [(&[u8], &str); 9] = [
        (b"http://no.headers.example/ at all", "url http://no.headers.example/"),
        (b"\r\nhttp://empty.headers.example/", "url http://empty.headers.example/"),
        (b"Subject: x\n\nhttp://line.feeds.example/", "url http://line.feeds.example/"),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\nnever http://no.boundary.example/",
            "url http://no.boundary.example/",
        ),
        (b"Content-Type: multipart/mixed\r\n\r\nhttp://no.name.example/", "url http://no.name.example/"),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhttp://never.ends.example/",
            "url http://never.ends.example/",
        ),
        (
            b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff\xfe http://charset.example/\xff",
            "name charset.example",
        ),
        (
            b"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\naHR0cDovL2NpcGhlci5leGFtcGxl!!",
            "url http://cipher.example",
        ),
        (b"Content-Type: text/plain; name=\"=?utf-8?Q?a=2Ejs?=\"\r\n\r\nx", "file a.js"),
    ];
    for (mail, wanted) in cases {
        sees(mail, &[wanted]);
    }
}

#[test]
fn files_are_seen_in_archives_and_in_mails_in_archives() {
    let script = b"location = 'http://script.example/drop'";
    let inner = with_attachment("inner.js", script);
    let zipped =
        zip(&[("folder/payload.js", script, Packing::Deflated), ("letter.eml", &inner, Packing::Stored)]);
    let packed = gzip(&tarball(&[("docs/bundle.zip", &zipped), ("docs/empty", b"")]));
    let mail = with_attachment("archive.tgz", &packed);
    let (report, seen) = look(&mail, &Limits::default());
    assert!(report.unexamined.is_empty(), "{report:?}");
    for wanted in [
        "file archive.tgz",
        "file bundle.zip",
        "file docs/bundle.zip",
        "file payload.js",
        "file inner.js",
        "name script.example",
        &sha256(&packed),
        &sha256(&zipped),
        &sha256(script),
    ] {
        assert!(seen.contains(wanted), "`{wanted}` is not among {seen:#?}");
    }
    assert!(!seen.contains(&sha256(b"")), "the digest of nothing is nobody's");
}

#[test]
fn a_text_file_has_the_digest_that_it_had_before_the_mail() {
    let file = b"one\ntwo\n";
    let mail =
        b"Content-Type: text/plain; name=list.txt\r\nContent-Disposition: attachment\r\n\r\none\r\ntwo\r\n";
    sees(mail, &[&sha256(file), &sha256(b"one\r\ntwo\r\n")]);
}

#[test]
fn what_a_program_would_find_in_a_zip_is_found_whichever_table_it_reads() {
    let mut bytes = zip(&[("shown.txt", b"http://shown.example/", Packing::Stored)]);
    // The table at the end names another file than the one that lies there.
    let at = bytes.windows(9).rposition(|window| window == b"shown.txt").unwrap();
    bytes[at..at + 9].copy_from_slice(b"other.exe");
    sees(
        &with_attachment("a.zip", &bytes),
        &["file shown.txt", "file other.exe", "url http://shown.example/"],
    );
    // No table at all.
    let cut = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    sees(&with_attachment("a.zip", &bytes[..cut]), &["file shown.txt", "url http://shown.example/"]);
}

#[test]
fn the_hardest_action_counts() {
    let mail = b"Subject: http://tag.evil.example/\r\n\r\nhttp://hold.evil.example/ http://monitor.evil.example/\r\n";
    let (report, _) = look(mail, &Limits::default());
    assert_eq!(report.worst(), Some(Action::Hold));
    let want = [(1, Action::Monitor), (2, Action::Tag), (3, Action::Hold)];
    assert_eq!(report.findings.into_iter().collect::<Vec<_>>(), want);
}

fn nested_mails(depth: usize, core: &str) -> Vec<u8> {
    let mut mail = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
    let _ = write!(mail, "Subject: core\r\n\r\n{core}\r\n");
    mail.into_bytes()
}

fn nested_parts(depth: usize) -> Vec<u8> {
    let mut mail = String::from("Subject: x\r\n");
    for level in 0..depth {
        let _ = write!(mail, "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    mail.push_str("\r\nhttp://deep.example/\r\n");
    mail.into_bytes()
}

fn nested_encoded(depth: usize) -> Vec<u8> {
    let mut mail = b"Subject: core\r\n\r\nx".to_vec();
    for _ in 0..depth {
        mail = format!(
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            base64(&mail)
        )
        .into_bytes();
    }
    mail
}

fn nested_archives(depth: usize) -> Vec<u8> {
    let packed = (0..depth).fold(b"core".to_vec(), |packed, _| zip(&[("x.zip", &packed, Packing::Stored)]));
    with_attachment("x.zip", &packed)
}

/// What the tools of the trade begin their files with.
#[test]
fn what_is_not_looked_into_is_counted() {
    let mut disk = vec![0; 33_000];
    disk[32_769..32_774].copy_from_slice(b"CD001");
    let packed: [(&str, &[u8]); 7] = [
        ("x.7z", b"7z\xbc\xaf\x27\x1c\x00\x04"),
        ("x.rar", b"Rar!\x1a\x07\x01\x00"),
        ("x.bz2", b"BZh91AY&SY\x00\x00"),
        ("x.xz", b"\xfd7zXZ\x00\x00\x04"),
        ("x.zst", b"\x28\xb5\x2f\xfd\x24\x00"),
        ("x.cab", b"MSCF\x00\x00\x00\x00\x2c"),
        ("x.iso", &disk),
    ];
    for (name, bytes) in packed {
        let within = zip(&[(name, bytes, Packing::Deflated)]);
        for (what, mail) in [
            ("attached", with_attachment(name, bytes)),
            // The name says nothing.
            ("in disguise", with_attachment("invoice.pdf", bytes)),
            ("in an archive", with_attachment("x.zip", &within)),
        ] {
            let (report, seen) = look(&mail, &Limits::default());
            assert_eq!(report.unexamined.get(&Unexamined::UnknownPacking), Some(&1), "{name} {what}");
            assert!(seen.contains(&sha256(bytes)), "{name} {what}: its hash is looked up all the same");
        }
    }
    let (report, _) =
        look(&with_attachment("x.txt", b"BZhell is no archive, and MSCF neither"), &Limits::default());
    assert!(report.unexamined.is_empty(), "{:?}", report.unexamined);
}

#[test]
fn hostile_mail_is_bounded_and_counted() {
    // Enough for any of these but the one that has each level hashed anew.
    let limits = Limits { work_bytes_max: 64 << 20, ..Limits::default() };
    let (zeros, more) = (vec![0_u8; 28 << 20], vec![0_u8; 40 << 20]);
    let bomb = zip(&[("bomb", &zeros, Packing::Deflated)]);
    let large = zip(&[("large", &more, Packing::Deflated)]);
    let many: Vec<_> = (0..3_000).map(|_| ("x", &b"y"[..], Packing::Stored)).collect();
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let mut tar_that_lies = tarball(&[("x", &[b'x'; 600])]);
    tar_that_lies.truncate(700);
    let cases: Vec<(&str, Vec<u8>, Option<Unexamined>)> = vec![
        ("mails in mails", nested_mails(1_000, ""), Some(Unexamined::TooDeep)),
        ("a million mails in mails", nested_mails(1_000_000, ""), Some(Unexamined::TooMuch)),
        ("parts in parts", nested_parts(1_000), Some(Unexamined::TooDeep)),
        ("encoded mails in mails", nested_encoded(20), Some(Unexamined::TooDeep)),
        ("archives in archives", nested_archives(1_000), Some(Unexamined::TooDeep)),
        ("a bomb", with_attachment("a.zip", &bomb), Some(Unexamined::Ratio)),
        ("a large file", with_attachment("a.zip", &large), Some(Unexamined::UnpackedTooLarge)),
        ("a packed bomb", with_attachment("a.gz", &gzip(&zeros)), Some(Unexamined::Ratio)),
        ("many files", with_attachment("a.zip", &zip(&many)), Some(Unexamined::TooManyMembers)),
        ("half an archive", with_attachment("a.gz", &half(gzip(&bomb))), Some(Unexamined::BrokenArchive)),
        (
            "an encrypted file",
            with_attachment("a.zip", &zip(&[("x", b"y", Packing::Encrypted)])),
            Some(Unexamined::Encrypted),
        ),
        ("sizes that lie", with_attachment("a.zip", &zip(&[("x", b"y", Packing::Lying)])), None),
        ("a tar that lies", with_attachment("a.tar", &tar_that_lies), Some(Unexamined::BrokenArchive)),
        (
            "many links",
            ["\r\n".to_owned(), "http://a.example/ ".repeat(20_000)].concat().into(),
            Some(Unexamined::TooManyLinks),
        ),
        (
            "many parts",
            format!(
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
                "--b\r\n\r\nx\r\n".repeat(100_000)
            )
            .into(),
            Some(Unexamined::TooManyParts),
        ),
        (
            "long headers",
            format!("Subject: {}\r\n\r\nx", "y".repeat(3 << 20)).into(),
            Some(Unexamined::HeadersTooLarge),
        ),
        ("many headers", "X: y\r\n".repeat(100_000).into(), None),
        (
            "tags without end",
            format!("Content-Type: text/html\r\n\r\n{}", "<a href=\"".repeat(200_000)).into(),
            None,
        ),
        (
            "comments in comments",
            format!("Content-Type: text/html\r\n\r\n{}", "<!--".repeat(200_000)).into(),
            None,
        ),
        ("signs of defanging", format!("\r\n{}", "[h(".repeat(300_000)).into(), None),
        ("zeros", vec![0; 1 << 20], None),
    ];
    for (name, mail, wanted) in cases {
        let (report, _) = look(&mail, &limits);
        match wanted {
            Some(reason) => assert!(report.unexamined.contains_key(&reason), "{name}: {report:?}"),
            None => assert!(report.unexamined.is_empty(), "{name}: {report:?}"),
        }
    }
}

#[test]
fn what_was_found_before_a_limit_stands() {
    let mut mail = b"Subject: http://store.evil.example/\r\n".to_vec();
    mail.extend_from_slice(&nested_mails(1_000, ""));
    let (report, _) = look(&mail, &Limits::default());
    assert_eq!(report.worst(), Some(Action::Store));
    assert!(report.unexamined.contains_key(&Unexamined::TooDeep));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = look(&bytes, &Limits::default());
        let _ = look(&with_attachment("x", &bytes), &Limits::default());
    }

    #[test]
    fn a_bent_archive_is_looked_at(at in any::<prop::sample::Index>(), byte in any::<u8>(), kind in 0..3) {
        let mut bytes = match kind {
            0 => zip(&[("a", b"one", Packing::Deflated), ("b", b"two", Packing::Stored)]),
            1 => gzip(b"some content"),
            _ => tarball(&[("a", b"one"), ("b", b"two")]),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = look(&with_attachment("x", &bytes), &Limits::default());
    }
}
