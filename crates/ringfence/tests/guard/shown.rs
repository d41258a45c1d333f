//! What a guard shows of itself: what each face did and did not, the files that it hands out, and the page for people who were led astray.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

use peers::{TRUE, dig, eventually, program, world};

use crate::common::Hub;
use crate::site::{Guard, SINKHOLE, indicator, provider, publish};

const NAME: &str = "shown.example.com";

fn config(hub: &str, world: &str) -> String {
    let exports = ["rpz", "hosts", "suricata", "squid", "nftables", "csv"].map(|format| {
        format!("[[export]]\nformat = \"{format}\"\npath = \"export/{format}\"\nserve = true\n")
    });
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
lease_hours = 2
[[feed]]
collection = "indicators"
mode = "enforce"
cause = "censored"
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
[sinkhole.landing]
listen = ["<landing>"]
contact = "noc@example.net"
[quarantine]
listen = ["<milter>"]
[flows]
listen = ["<flow>"]
exporters = ["127.0.0.1"]
{}
[status]
listen = "<status>"
"#,
        exports.concat()
    )
}

fn site() -> (tempfile::TempDir, Hub, Guard) {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    let patterns = [
        format!("[domain-name:value = '{NAME}']"),
        "[domain-name:value = 'below.shown.example.com']".to_owned(),
        "[ipv4-addr:value = '198.51.100.0/24']".to_owned(),
        "[ipv4-addr:value = '198.51.100.7']".to_owned(),
        "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']".to_owned(),
    ];
    let objects: Vec<_> = (1..).zip(&patterns).map(|(number, pattern)| indicator(number, pattern)).collect();
    publish(&hub, &hub.token, dir.path(), &objects);
    let config = config(&hub.url, &world().to_string());
    let guard = Guard::started(&dir.path().join("north"), &north.token, &config);
    eventually("all is taken", || guard.active() == u64::try_from(patterns.len()).unwrap());
    let squid = || fs::read_to_string(export(&guard, "squid")).unwrap_or_default();
    eventually("the files are written", || squid().contains(NAME));
    (dir, hub, guard)
}

fn export(guard: &Guard, name: &str) -> std::path::PathBuf {
    guard.dir.join("export").join(name)
}

/// A request of one's own making; the answer, head and all.
fn said(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(stream, "{request}\r\nHost: guard\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_faces_did_and_did_not_is_shown() {
    if !peers::has("questions for a guard", &["dig"]) {
        return;
    }
    let (_dir, _hub, guard) = site();
    // Good and bad: a blocked question with its reason, one that passes, and what is no question, no flow and no mail server.
    let blocked = dig(guard.port("forward"), &["A", NAME]);
    assert!(blocked.contains(&SINKHOLE.to_string()) && blocked.contains("EDE: 16"), "{blocked}");
    assert!(dig(guard.port("forward"), &["A", "good.example.net"]).contains(&TRUE.to_string()));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for port in ["forward", "flow"] {
        socket.send_to(&[0xff; 40], (Ipv4Addr::LOCALHOST, guard.port(port))).unwrap();
    }
    let mut milter = TcpStream::connect((Ipv4Addr::LOCALHOST, guard.port("milter"))).unwrap();
    milter.write_all(&[0xff; 64]).unwrap();
    let landed = said(guard.port("landing"), "GET /login?user=alice HTTP/1.1");
    assert!(landed.contains("noc@example.net"), "{landed}");
    let lines = [
        "done_total{face=\"forwarder\",what=\"blocked\"} 1",
        "done_total{face=\"forwarder\",what=\"forwarded\"} 1",
        "shortfalls_total{face=\"forwarder\",reason=\"broken\"} 1",
        "done_total{face=\"flow\",what=\"packets\"} 1",
        "shortfalls_total{face=\"flow\",reason=\"broken\"} 1",
        "shortfalls_total{face=\"mail\",reason=\"violations\"} 1",
        "done_total{face=\"landing\",what=\"listed\"} 1",
    ];
    for line in lines {
        eventually(line, || guard.page("/metrics").contains(&format!("ringfence_guard_{line}\n")));
    }
    let status = guard.status();
    let has = |which: &str, face: &str, what: &str| {
        let lines = status[which].as_array().unwrap();
        lines.iter().any(|line| line["face"] == face && line["what"] == what && line["count"] == 1)
    };
    assert!(has("done", "forwarder", "blocked") && has("shortfalls", "mail", "violations"), "{status}");
    let page = guard.page("/");
    assert!(page.contains("<td>mail<td>violations<td>1"), "{page}");
    assert!(!page.contains("alice"), "{page}");
    // The programme's own name, once the hub has said it.
    let programme = status["programme"].as_str().unwrap().to_owned();
    eventually("the landing page says who lists", || {
        said(guard.port("landing"), "GET / HTTP/1.1").contains(&programme)
    });
}

#[test]
fn files_are_handed_out_with_a_tag_that_changes_with_them() {
    let (dir, hub, guard) = site();
    let port = guard.port("status");
    let tag = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default();
        line.trim().to_owned()
    };
    let ask = |request: String| said(port, &request);
    let whole = ask("GET /export/squid HTTP/1.1".to_owned());
    let first = tag(&whole);
    let body = whole.split_once("\r\n\r\n").unwrap().1;
    assert!(whole.starts_with("HTTP/1.1 200") && first.len() > 10, "{whole}");
    assert_eq!(body, fs::read_to_string(export(&guard, "squid")).unwrap());
    assert!(body.starts_with("# not to be used after 2"), "it says until when it holds: {body}");
    for known in [first.clone(), format!("\"other\", {first}"), "*".to_owned()] {
        let same = ask(format!("GET /export/squid HTTP/1.1\r\nIf-None-Match: {known}"));
        assert!(same.starts_with("HTTP/1.1 304") && tag(&same) == first, "{known}: {same}");
        assert!(same.ends_with("\r\n\r\n"), "without a body: {same}");
    }
    let other = ask("GET /export/squid HTTP/1.1\r\nIf-None-Match: \"other\"".to_owned());
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    let head = ask("HEAD /export/squid HTTP/1.1".to_owned());
    assert!(head.starts_with("HTTP/1.1 200") && tag(&head) == first && head.ends_with("\r\n\r\n"), "{head}");
    let several = ask("GET /export/suricata/ringfence.rules HTTP/1.1".to_owned());
    assert!(several.starts_with("HTTP/1.1 200"), "{several}");
    for none in ["names", "squid/x", "../guard.toml", "%2e%2e/guard.toml"] {
        assert!(ask(format!("GET /export/{none} HTTP/1.1")).starts_with("HTTP/1.1 404"), "{none}");
    }
    let more = indicator(9, "[domain-name:value = 'more.example.org']");
    publish(&hub, &hub.token, dir.path(), &[more]);
    eventually("the file changes, and its tag", || {
        let now = ask(format!("GET /export/squid HTTP/1.1\r\nIf-None-Match: {first}"));
        now.starts_with("HTTP/1.1 200") && now.contains("more.example.org") && tag(&now) != first
    });
}

#[test]
fn the_programs_that_they_are_for_read_what_a_running_guard_wrote() {
    let tools = ["named-checkzone", "unbound-checkconf", "suricata", "squid", "nft"];
    if !peers::has("readers of a guard's files", &tools) {
        return;
    }
    let (dir, _hub, guard) = site();
    let run = |command: &mut Command, folder: &Path| {
        let output = command.current_dir(folder).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    };
    let folder = dir.path().join("readers");
    fs::create_dir(&folder).unwrap();
    let zone = export(&guard, "rpz");
    let (is_well, said) = run(program("named-checkzone").arg("rpz.ringfence").arg(&zone), &folder);
    assert!(is_well && said.contains("loaded serial"), "{said}");
    let unbound = format!(
        "server:\n module-config: \"respip validator iterator\"\n chroot: \"\"\n username: \"\"\n directory: \"{}\"\nrpz:\n \
         name: \"rpz.ringfence\"\n zonefile: \"{}\"\n",
        folder.display(),
        zone.display()
    );
    fs::write(folder.join("unbound.conf"), unbound).unwrap();
    let (is_well, said) = run(program("unbound-checkconf").arg("unbound.conf"), &folder);
    assert!(is_well && said.contains("no errors"), "{said}");
    let rules = ["-T", "-v", "-S", "ringfence.rules", "-l"];
    let (is_well, said) = run(program("suricata").args(rules).arg(&folder), &export(&guard, "suricata"));
    assert!(is_well && said.contains("rules successfully loaded, 0 rules failed"), "{said}");
    let squid = format!(
        "acl listed dstdomain \"{}\"\nhttp_access deny listed\nhttp_port 127.0.0.1:3129\npid_filename none\n\
         cache_effective_user root\ncoredump_dir {}\n",
        export(&guard, "squid").display(),
        folder.display()
    );
    fs::write(folder.join("squid.conf"), squid).unwrap();
    let (is_well, said) = run(program("squid").args(["-k", "parse", "-f", "squid.conf"]), &folder);
    assert!(is_well && !said.contains("ERROR") && !said.contains("is a subdomain"), "{said}");
    let sets = export(&guard, "nftables");
    let (mut is_well, mut said) = run(program("nft").arg("-c").arg("-f").arg(&sets), &folder);
    if said.contains("Operation not permitted") {
        // In a network of its own everybody may.
        (is_well, said) = run(program("unshare").args(["-rn", "nft", "-c", "-f"]).arg(&sets), &folder);
    }
    assert!(is_well, "{said}");
}
