//! Suricata: datasets and the rules that ask them.
//!
//! A rule for each name costs 5 kB of memory, an element of a dataset 125 bytes. Datasets match exactly, so a name listed with all below it loses that. They tell
//! capitals apart, and a resolver's query has them at random: each rule puts names into lower case first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use matcher::{Algorithm, Key};

use crate::entry::{Feed, File, Output, Plain, Reason, Writing, digest, is_common, prefix, push, word};
use crate::names;

/// The largest hash table of a dataset that Suricata takes without a change of its configuration; above it, the whole file of rules fails.
const HASHSIZE_MAX: usize = 262_144;
/// Bytes that an element takes, with room to spare.
const ELEMENT_BYTES: usize = 256;

struct Dataset<'d> {
    name: &'d str,
    kind: &'d str,
    count: usize,
}

impl Dataset<'_> {
    /// The keyword, with room for as much as there is.
    fn isset(&self, feed: &str) -> String {
        let Self { name, kind, count } = self;
        let size = count.next_power_of_two().clamp(1024, HASHSIZE_MAX);
        let megabytes = (count * ELEMENT_BYTES).div_ceil(1 << 20) + 64;
        format!(
            "dataset:isset,{feed}-{name},type {kind},load {name}.lst,memcap {megabytes}mb,hashsize {size};"
        )
    }
}

pub(crate) fn write(first_sid: u32, feed: &Feed<'_>, writing: Writing<'_>) -> Output {
    let takes = |plain: &Plain<'_>| match (names::name(plain), prefix(plain.key), digest(plain.key)) {
        (Some((name, _)), ..) if !name.contains('.') => Err(Reason::TopLevel),
        (_, Some(prefix), _) if !prefix.is_single() => Err(Reason::PrefixOnly),
        (_, _, Some(digest)) if !is_common(digest.algorithm()) => Err(Reason::Kind),
        (None, None, None) => Err(Reason::Kind),
        _ => Ok(()),
    };
    // By name first: of one that is listed in both scopes one line is left.
    let mut writing = names::once(writing.distinct().keep(takes));
    writing.report.narrowed = names::wide(&writing);
    // Names of datasets share one space with all others that the sensor has, and have a bounded length.
    let source: String = word(feed.name).chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    let source = if source.is_empty() { "ringfence".to_owned() } else { source.to_ascii_lowercase() };

    let list = |file: &str, line: &dyn Fn(&Key) -> Option<String>| -> (File, usize) {
        let shown: Vec<String> = writing.entries.iter().filter_map(|plain| line(plain.key)).collect();
        let bytes = shown.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        (File { name: file.to_owned(), bytes }, shown.len())
    };
    let digests = |wanted: Algorithm| {
        move |key: &Key| {
            let digest = digest(key).filter(|digest| digest.algorithm() == wanted)?;
            Some(hex::encode(digest.bytes()))
        }
    };
    // Strings stand in base64, so that any byte can.
    let encoded =
        |key: &Key| if let Key::Name(name, _) = key { Some(STANDARD.encode(name.as_str())) } else { None };
    let address = |v4: bool| {
        move |key: &Key| {
            let prefix = prefix(key).filter(|prefix| prefix.network().is_ipv4() == v4)?;
            Some(prefix.network().to_string())
        }
    };
    let (names, name_count) = list("names.lst", &encoded);
    let (v4, v4_count) = list("addresses4.lst", &address(true));
    let (v6, v6_count) = list("addresses6.lst", &address(false));
    let (md5, md5_count) = list("md5.lst", &digests(Algorithm::Md5));
    let (sha1, sha1_count) = list("sha1.lst", &digests(Algorithm::Sha1));
    let (sha256, sha256_count) = list("sha256.lst", &digests(Algorithm::Sha256));

    let name_set = Dataset { name: "names", kind: "string", count: name_count }.isset(&source);
    let v4_set = Dataset { name: "addresses4", kind: "ipv4", count: v4_count }.isset(&source);
    let v6_set = Dataset { name: "addresses6", kind: "ip", count: v6_count }.isset(&source);
    let rules = [
        (
            name_count,
            "dns any any -> any any",
            "name asked for",
            format!("dns.query; to_lowercase; {name_set}"),
        ),
        (name_count, "tls any any -> any any", "name in TLS", format!("tls.sni; to_lowercase; {name_set}")),
        (
            name_count,
            "http any any -> any any",
            "host in HTTP",
            format!("http.host; to_lowercase; {name_set}"),
        ),
        (v4_count, "ip any any -> any any", "IPv4 address", format!("ip.dst; {v4_set}")),
        (v6_count, "ip any any -> any any", "IPv6 address", format!("ip.dst; {v6_set}")),
        (md5_count, "http any any -> any any", "file by MD5", "filemd5:md5.lst;".to_owned()),
        (sha1_count, "http any any -> any any", "file by SHA-1", "filesha1:sha1.lst;".to_owned()),
        (sha256_count, "http any any -> any any", "file by SHA-256", "filesha256:sha256.lst;".to_owned()),
    ];
    let mut text = format!("# {source}, revision {}\n", feed.revision);
    if let Some(line) = feed.until_line("#") {
        push(&mut text, format_args!("{line}\n"));
    }
    for (sid, (count, heading, what, keywords)) in (first_sid..).zip(rules) {
        // An empty list is an error to some keywords, and asks for nothing.
        if count > 0 {
            let rev = feed.revision.max(1);
            push(
                &mut text,
                format_args!(
                    "alert {heading} (msg:\"{source}: listed {what}\"; {keywords} sid:{sid}; rev:{rev};)\n"
                ),
            );
        }
    }
    let rules = File { name: "ringfence.rules".to_owned(), bytes: text.into_bytes() };
    writing.into_output(vec![names, v4, v6, md5, sha1, sha256, rules])
}
