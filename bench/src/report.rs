//! The table.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use model::Clock as _;

use crate::units::short;

/// What a ratio has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    fn told(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {}", short(bound)),
            Self::AtMost(bound) => format!("≤ {}", short(bound)),
        }
    }
}

/// One line of the table.
pub(crate) struct Row {
    measure: String,
    ours: String,
    beside: String,
    judged: Option<Judged>,
}

/// The number that is judged: a ratio, or a count where the demand is a count.
struct Judged {
    value: f64,
    least: Bound,
    aim: Option<Bound>,
}

impl Row {
    /// A line that is told and not judged.
    pub(crate) fn told(measure: &str, ours: impl Into<String>, beside: impl Into<String>) -> Self {
        Self { measure: measure.to_owned(), ours: ours.into(), beside: beside.into(), judged: None }
    }

    /// The same line, judged by this number.
    pub(crate) fn judged(mut self, value: f64, least: Bound, aim: Option<Bound>) -> Self {
        self.judged = Some(Judged { value, least, aim });
        self
    }

    /// A line for what could not be taken.
    pub(crate) fn missing(measure: &str, why: &anyhow::Error) -> Self {
        Self::told(measure, "not measured", format!("{why:#}").replace('|', "/").replace('\n', " "))
    }

    fn write(&self, text: &mut String) {
        let (mut value, mut least, mut aim, mut verdict) = (String::new(), String::new(), String::new(), "");
        if let Some(judged) = &self.judged {
            value = short(judged.value);
            least = judged.least.told();
            aim = judged.aim.map(Bound::told).unwrap_or_default();
            verdict = match (judged.least.holds(judged.value), judged.aim.map(|aim| aim.holds(judged.value)))
            {
                (false, _) => "**missed**",
                (true, Some(true)) => "aim reached",
                (true, Some(false) | None) => "held",
            };
        }
        let Self { measure, ours, beside, .. } = self;
        let _ = writeln!(text, "| {measure} | {ours} | {beside} | {value} | {least} | {aim} | {verdict} |");
    }

    /// Whether the demand was missed, or there is nothing to judge it by.
    pub(crate) fn is_short(&self) -> bool {
        self.ours == "not measured"
            || self.judged.as_ref().is_some_and(|judged| !judged.least.holds(judged.value))
    }
}

/// How a run ends.
pub(crate) struct End<'a> {
    pub(crate) out: Option<&'a Path>,
    pub(crate) quick: bool,
    pub(crate) strict: bool,
    pub(crate) took_seconds: u64,
}

/// Everything that one run found: a part of the table's file, under a heading of its own.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
    heading: &'static str,
    command: String,
    /// What was measured on, in sentences.
    setting: String,
    load_before: String,
}

impl Report {
    pub(crate) fn new(heading: &'static str, command: String, setting: String) -> Self {
        Self { rows: Vec::new(), notes: Vec::new(), heading, command, setting, load_before: load_average() }
    }

    /// Adds what a measure found, or why it found nothing, and says so.
    pub(crate) fn add(&mut self, measure: &str, found: anyhow::Result<Vec<Row>>) {
        let rows = found.unwrap_or_else(|why| vec![Row::missing(measure, &why)]);
        for row in rows {
            let mut line = String::new();
            row.write(&mut line);
            print!("{line}");
            self.rows.push(row);
        }
    }

    /// What was missed or could not be taken, but for what the table's file, as it was before, says was missed already: what
    /// it calls held has to hold.
    pub(crate) fn broken(&self, recorded: &str) -> Vec<&str> {
        let part = parts(recorded).into_iter().find(|part| part.lines().next() == Some(&self.title()));
        let part = part.unwrap_or_default();
        let is_known = |row: &Row| {
            let begin = format!("| {} |", row.measure);
            row.judged.is_some()
                && part.lines().any(|line| line.starts_with(&begin) && line.ends_with("| **missed** |"))
        };
        let broken = self.rows.iter().filter(|row| row.is_short() && !is_known(row));
        broken.map(|row| row.measure.as_str()).collect()
    }

    fn title(&self) -> String {
        format!("# {}", self.heading)
    }

    /// Writes the table to `out`, or where it belongs, or prints it if it is of a quick run; then, if the run is strict, ends
    /// with 1 if what was held is not.
    pub(crate) fn finish(&self, here: &Path, end: &End<'_>) -> anyhow::Result<ExitCode> {
        let results = here.join("RESULTS.md");
        let recorded = if results.exists() { fs::read_to_string(&results)? } else { String::new() };
        let text = self.markdown(end.took_seconds);
        match (end.out, end.quick) {
            (Some(out), _) => write(out, &text)?,
            (None, false) => write(&results, &text)?,
            (None, true) => println!("{text}"),
        }
        let broken = self.broken(&recorded);
        if !end.strict || broken.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        for measure in broken {
            eprintln!("not held: {measure}");
        }
        Ok(ExitCode::FAILURE)
    }

    pub(crate) fn markdown(&self, took_seconds: u64) -> String {
        let mut text = format!("{}\n\n", self.title());
        let _ = writeln!(
            text,
            "One run of `{}`, {} at its end, {took_seconds} s. {} `README.md` says how each number is taken.\n",
            self.command,
            model::SystemClock::default().now(),
            self.setting,
        );
        text.push_str("| measure | Ringfence | beside it | ratio or count | at least | aim | |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            row.write(&mut text);
        }
        text.push_str("\n## Notes\n\n");
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text.push_str("\n## Machine\n\n");
        for line in machine() {
            let _ = writeln!(text, "- {line}");
        }
        let _ = writeln!(text, "- load average before: {}; after: {}", self.load_before, load_average());
        text
    }
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn machine() -> Vec<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().unwrap_or_default().replace("MemTotal:", "");
    vec![
        format!("{cores} cores, {model}; memory {}", memory.trim()),
        format!("Linux {}", kernel.trim()),
        said(Command::new("rustc").arg("--version")),
        said(Command::new("nginx").arg("-v")),
        format!("SQLite {}, linked in", rusqlite::version()),
    ]
}

/// The first line that a program says.
pub(crate) fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return format!("{command:?} is not here") };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

/// Writes a part of the table's file, in place of the part with the same heading; the other parts stay.
pub(crate) fn write(path: &Path, part: &str) -> anyhow::Result<()> {
    let before = if path.exists() { fs::read_to_string(path)? } else { String::new() };
    Ok(fs::write(path, with_part(&before, part))?)
}

/// The parts of the table's file, each with its heading.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("# ") || parts.is_empty() {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    parts
}

fn with_part(text: &str, part: &str) -> String {
    let mut parts = parts(text);
    let heading = part.lines().next();
    match parts.iter_mut().find(|old| old.lines().next() == heading) {
        Some(old) => part.clone_into(old),
        None => parts.push(part.to_owned()),
    }
    let parts: Vec<_> = parts.iter().map(|part| part.trim_end()).collect();
    parts.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_bounds() {
        let cases = [
            (0.7, Bound::AtLeast(0.3), Some(Bound::AtLeast(0.6)), "aim reached"),
            (0.5, Bound::AtLeast(0.3), Some(Bound::AtLeast(0.6)), "held"),
            (0.2, Bound::AtLeast(0.3), Some(Bound::AtLeast(0.6)), "missed"),
            (1.9, Bound::AtMost(2.0), None, "held"),
            (2.1, Bound::AtMost(2.0), None, "missed"),
            (0.0, Bound::AtMost(0.0), None, "held"),
        ];
        for (value, least, aim, want) in cases {
            let row = Row::told("m", "o", "b").judged(value, least, aim);
            let mut text = String::new();
            row.write(&mut text);
            assert!(text.contains(want), "{value}: {text}");
            assert_eq!(row.is_short(), want == "missed");
        }
        assert!(Row::missing("m", &anyhow::anyhow!("a|b")).is_short());
    }

    #[test]
    fn what_was_missed_before_may_be_missed_again() {
        let mut report = Report::new("A", String::new(), String::new());
        let row = |name: &str, value| Row::told(name, "o", "b").judged(value, Bound::AtMost(1.0), None);
        report.rows =
            vec![row("x", 2.0), row("x y", 2.0), row("z", 1.0), Row::missing("w", &anyhow::anyhow!("no"))];
        let line = |name: &str, verdict: &str| format!("| {name} | o | b | 2 | 1 |  | {verdict} |\n");
        let missed = "**missed**";
        let cases = [
            (String::new(), vec!["x", "x y", "w"]),
            (format!("# A\n{}{}", line("x", missed), line("x y", "held")), vec!["x y", "w"]),
            (format!("# A\n{}{}", line("x", "held"), line("w", missed)), vec!["x", "x y", "w"]),
            // What another part missed is another measure.
            (format!("# A\n# B\n{}", line("x", missed)), vec!["x", "x y", "w"]),
        ];
        for (recorded, want) in cases {
            assert_eq!(report.broken(&recorded), want, "{recorded}");
        }
    }

    #[test]
    fn a_part_replaces_its_like_alone() {
        let cases = [
            ("", "# A\n\n1\n", "# A\n\n1\n"),
            ("# A\n\n1\n", "# B\n2\n", "# A\n\n1\n\n# B\n2\n"),
            ("# A\n\n1\n## x\n\n# B\n2\n", "# A\n3\n", "# A\n3\n\n# B\n2\n"),
            ("# A\n1\n\n# B\n2\n", "# B\n3\n", "# A\n1\n\n# B\n3\n"),
        ];
        for (before, part, want) in cases {
            assert_eq!(with_part(before, part), want);
        }
    }
}
