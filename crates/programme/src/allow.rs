//! What no guard of the programme may act on: `lists/allow.txt`.
//!
//! One value a line: a name, which stands for all below it too, an address or a network; `#` begins a comment. Guards take
//! the list with their subscription, and it wins over every indicator. So a line that would allow half the Internet by
//! mistake is a fault: a name has two labels at least, a network is no wider than /8, or /16 of IPv6.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::Problem;

/// Its name.
pub(crate) const FILE: &str = "lists/allow.txt";
/// More is no list that people keep.
const VALUES_MAX: usize = 100_000;
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The values, in the order of the file; none without a file.
pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>, Vec<Problem>> {
    let Some(bytes) = files.get(FILE) else { return Ok(Vec::new()) };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(vec![Problem::new(FILE, "it is not UTF-8", "write it as plain text")]);
    };
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let value = line.split('#').next().unwrap_or_default().trim();
        if value.is_empty() {
            continue;
        }
        match check(value) {
            Ok(()) => values.push(value.to_ascii_lowercase()),
            Err(remedy) => {
                let shown: String = value.chars().take(80).collect();
                let mut problem = Problem::new(FILE, format!("`{shown}` cannot be allowed"), remedy);
                problem.line = Some(index + 1);
                problems.push(problem);
            }
        }
    }
    if values.len() > VALUES_MAX {
        let message = format!("there are {} values", values.len());
        problems.push(Problem::new(FILE, message, format!("keep it to {VALUES_MAX}")));
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// Whether a value can be allowed; if not, what to do about it.
fn check(value: &str) -> Result<(), &'static str> {
    if value.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if let Some((network, length)) = value.split_once('/') {
        let shape = "write a network like 192.0.2.0/24";
        let network: IpAddr = network.parse().map_err(|_| shape)?;
        let length: u8 = length.parse().map_err(|_| shape)?;
        let (least, most) = if network.is_ipv4() { (8, 32) } else { (16, 128) };
        return match length {
            _ if length > most => Err(shape),
            _ if length < least => Err("name a network of at least /8, or /16 of IPv6"),
            _ => Ok(()),
        };
    }
    let name = value.strip_suffix('.').unwrap_or(value);
    let fits = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > NAME_BYTES_MAX || !name.split('.').all(fits) {
        return Err("write a name like good.example (beyond ASCII as A-labels), an address or a network");
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if !name.contains('.') || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("name a domain of at least two labels");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Result<Vec<String>, Vec<Problem>> {
        read(&BTreeMap::from([(FILE.to_owned(), text.as_bytes().to_vec())]))
    }

    #[test]
    fn values_are_taken_and_faults_have_their_line() {
        assert_eq!(read(&BTreeMap::new()), Ok(Vec::new()));
        let fine = "# ours\nGood.Example  # and all below\n\n192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n_sip.example.net.\n";
        let values = ["good.example", "192.0.2.1", "198.51.100.0/24", "2001:db8::/32", "_sip.example.net."];
        assert_eq!(listed(fine), Ok(values.map(str::to_owned).to_vec()));
        let wrong = [
            "com",
            "1.2.3",
            "10.0.0.0/7",
            "::/15",
            "10.0.0.0/33",
            "x/8",
            "a b.example",
            "bücher.example",
            "a..example",
            "http://a.example/",
        ];
        for value in wrong {
            let problems = listed(&format!("good.example\n{value}\n")).unwrap_err();
            assert_eq!((problems.len(), problems[0].line), (1, Some(2)), "{value}");
        }
    }
}
