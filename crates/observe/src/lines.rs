//! Text, line by line, many lines at a time.

use crate::place::{Summary, Unit};
use crate::source::Source;
use crate::{Chunk, Limits, Seen, Watcher};

/// Where a line that is too long may be cut: no name, address or URL goes over these.
const BETWEEN_WORDS: &[u8] = b" \t\",;<>\0";
/// Before the end of a chunk, so far back a place between words is looked for.
const BACK_BYTES: usize = 64 * 1024;

pub(crate) fn read(
    source: &mut Source<'_>,
    limits: &Limits,
    summary: &mut Summary,
    watcher: &mut dyn Watcher,
) {
    let mut line = 1;
    let mut is_open = false;
    loop {
        let bytes = source.want(limits.chunk_bytes.max(1));
        if bytes.is_empty() {
            summary.pieces = line - 1 + u64::from(is_open);
            return;
        }
        let is_last = bytes.len() < limits.chunk_bytes;
        let end = if is_last { bytes.len() } else { end_of_lines(bytes) };
        let chunk = Chunk { bytes: &bytes[..end], first: line };
        let place = summary.place(Unit::Line(line));
        watcher.see(&place, Seen::Lines(chunk));
        let breaks = memchr::memchr_iter(b'\n', &bytes[..end]).count() as u64;
        line += breaks;
        is_open = !bytes[..end].ends_with(b"\n");
        source.consume(end);
    }
}

fn end_of_lines(bytes: &[u8]) -> usize {
    if let Some(at) = memchr::memrchr(b'\n', bytes) {
        return at + 1;
    }
    let back = bytes.len().saturating_sub(BACK_BYTES);
    let between = bytes[back..].iter().rposition(|byte| BETWEEN_WORDS.contains(byte));
    between.map_or(bytes.len(), |at| back + at + 1)
}

#[cfg(test)]
mod tests {
    use crate::{Limits, Place, Seen, read};

    #[test]
    fn lines_are_whole_and_numbered_wherever_chunks_end() {
        let text = "one\n\ntwo\nthree and a long one\nfour";
        for chunk_bytes in 1..40 {
            let limits = Limits { chunk_bytes, ..Limits::default() };
            let (mut all, mut firsts) = (Vec::new(), Vec::new());
            let summary = read("x", text.as_bytes(), &limits, &mut |_: &Place, seen: Seen<'_>| {
                let Seen::Lines(chunk) = seen else { panic!("no text") };
                firsts.push((all.len(), chunk.first));
                all.extend_from_slice(chunk.bytes);
            });
            assert_eq!(all, text.as_bytes());
            for (at, first) in firsts {
                let want = text[..at].matches('\n').count() as u64 + 1;
                assert_eq!(first, want, "chunks of {chunk_bytes}");
            }
            assert_eq!(summary.pieces, 5, "chunks of {chunk_bytes}");
        }
    }
}
