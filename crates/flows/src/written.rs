//! Alerts as lines: JSON, and syslog (RFC 5424).

use crate::alerts::{Alert, Detail, Direction, Kind};

/// Who says that it writes, in a line of syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The machine's name.
    pub hostname: String,
    /// The program's name.
    pub app_name: String,
    /// The facility, from 0 to 23; 4 is security.
    pub facility: u8,
}

/// The severity of alerts: warning (RFC 5424 §6.2.1).
const SEVERITY: u8 = 4;

/// One line of JSON, without its line break.
///
/// # Panics
///
/// Never: an alert is plain data.
#[must_use]
pub fn json_line(alert: &Alert) -> String {
    serde_json::to_string(alert).expect("an alert is plain data")
}

/// One message of syslog, without framing.
#[must_use]
pub fn syslog_message(alert: &Alert, origin: &Origin) -> String {
    let priority = u16::from(origin.facility.min(23)) * 8 + u16::from(SEVERITY);
    let kind = match alert.kind {
        Kind::First => "first",
        Kind::Hour => "hour",
    };
    let direction = match alert.direction {
        Direction::ToListed => "to-listed",
        Direction::FromListed => "from-listed",
    };
    // 32473 is the number for examples (RFC 5612): the project has none of its own.
    let mut data = format!(
        "[flow@32473 kind=\"{kind}\" reference=\"{}\" direction=\"{direction}\" exporter=\"{}\" hour=\"{}\" flows=\"{}\" \
         packets=\"{}\" bytes=\"{}\"",
        escaped(&alert.reference),
        alert.exporter,
        alert.hour,
        alert.flows,
        alert.packets,
        alert.bytes
    );
    if let Some(Detail { inside, inside_port, listed, listed_port, protocol }) = alert.detail {
        let inside = format!(" inside=\"{inside}\" inside_port=\"{inside_port}\" protocol=\"{protocol}\"");
        data += &inside;
        data += &listed.map(|address| format!(" listed=\"{address}\"")).unwrap_or_default();
        data += &listed_port.map(|port| format!(" listed_port=\"{port}\"")).unwrap_or_default();
    }
    let flows = if alert.flows == 1 { "1 flow".to_owned() } else { format!("{} flows", alert.flows) };
    format!(
        "<{priority}>1 {} {} {} - flow-alert {data}] {flows} {} an indicator",
        alert.at,
        name(&origin.hostname, 255),
        name(&origin.app_name, 48),
        if alert.direction == Direction::ToListed { "to" } else { "from" },
    )
}

/// One message for a stream: its length stands before it (RFC 6587 §3.4.1).
#[must_use]
pub fn framed(message: &str) -> String {
    format!("{} {message}", message.len())
}

/// RFC 5424 §6.3.3.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A word of the header: printable ASCII without spaces (RFC 5424 §6.2).
fn name(text: &str, length_max: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(length_max).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Exporter;

    fn alert(detail: Option<Detail>) -> Alert {
        Alert {
            at: "2026-01-01T10:00:00.5Z".parse().unwrap(),
            kind: Kind::First,
            reference: "rf\"]\\\n1".to_owned(),
            direction: Direction::ToListed,
            exporter: Exporter { address: "192.0.2.1".parse().unwrap(), domain: 3 },
            hour: "2026-01-01T10:00:00Z".parse().unwrap(),
            flows: 1,
            packets: 4,
            bytes: 240,
            detail,
        }
    }

    fn detail() -> Detail {
        let (inside, listed) = ("10.0.0.5".parse().unwrap(), Some("198.51.100.7".parse().unwrap()));
        Detail { inside, inside_port: 40_000, listed, listed_port: None, protocol: 6 }
    }

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        let plain = "{\"at\":\"2026-01-01T10:00:00.500000Z\",\"kind\":\"first\",\"reference\":\"rf\\\"]\\\\\\n1\",\
            \"direction\":\"to-listed\",\"exporter\":\"192.0.2.1#3\",\"hour\":\"2026-01-01T10:00:00.000000Z\",\"flows\":1,\
            \"packets\":4,\"bytes\":240";
        assert_eq!(json_line(&alert(None)), format!("{plain}}}"));
        let shown =
            ",\"inside\":\"10.0.0.5\",\"inside_port\":40000,\"listed\":\"198.51.100.7\",\"protocol\":6}";
        assert_eq!(json_line(&alert(Some(detail()))), format!("{plain}{shown}"));
    }

    #[test]
    fn syslog_has_its_header_and_escapes_values() {
        let origin = Origin { hostname: "guard 1".to_owned(), app_name: String::new(), facility: 4 };
        let data = "[flow@32473 kind=\"first\" reference=\"rf\\\"\\]\\\\1\" direction=\"to-listed\" exporter=\"192.0.2.1#3\" \
            hour=\"2026-01-01T10:00:00.000000Z\" flows=\"1\" packets=\"4\" bytes=\"240\"";
        let head = "<36>1 2026-01-01T10:00:00.500000Z guard1 - - flow-alert";
        let words = "1 flow to an indicator";
        assert_eq!(syslog_message(&alert(None), &origin), format!("{head} {data}] {words}"));
        let shown = " inside=\"10.0.0.5\" inside_port=\"40000\" protocol=\"6\" listed=\"198.51.100.7\"";
        let message = syslog_message(&alert(Some(detail())), &origin);
        assert_eq!(message, format!("{head} {data}{shown}] {words}"));
        assert_eq!(framed("abc"), "3 abc");
    }
}
