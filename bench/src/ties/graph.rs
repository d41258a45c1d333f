//! A graph of ties as the measures take it: who holds what share of whom, in basis points.
//!
//! As a file it is lines of `holder,company,basis points`, by holder and company; that is what every peer reads. The
//! checksum of a set of pairs is the xor of a mix of each, so that it needs no order.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;

/// All of a company.
pub(crate) const WHOLE: u32 = 10_000;
/// More than this controls.
pub(crate) const HALF: u32 = WHOLE / 2;

/// One direct holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tie {
    pub(crate) holder: u32,
    pub(crate) company: u32,
    /// From 1 to [`WHOLE`]; in an edit, 0 ends the tie.
    pub(crate) points: u32,
}

/// Ties by holder and company, each pair once.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// Every node of a tie is below this.
    pub(crate) nodes: u32,
    pub(crate) ties: Vec<Tie>,
}

impl Graph {
    /// Orders the ties; each holder and company may come once.
    pub(crate) fn new(mut ties: Vec<Tie>) -> Result<Self> {
        ties.sort_unstable();
        let twice =
            ties.windows(2).find(|two| two[0].holder == two[1].holder && two[0].company == two[1].company);
        ensure!(twice.is_none(), "a tie comes twice: {twice:?}");
        let nodes = ties.iter().map(|tie| tie.holder.max(tie.company) + 1).max().unwrap_or(0);
        Ok(Self { nodes, ties })
    }

    /// Reads a file of ties, compressed if its name ends in `.gz`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let is_packed = path.extension().is_some_and(|end| end == "gz");
        let file: Box<dyn Read> = if is_packed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
        let mut ties = Vec::new();
        for_each_tie(BufReader::new(file), |tie| ties.push(tie))?;
        ensure!(ties.iter().all(|tie| tie.points > 0), "a tie has no share");
        Self::new(ties)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write(&self.ties, path)
    }
}

/// Writes ties, or edits of ties, as lines.
pub(crate) fn write(ties: &[Tie], path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    for Tie { holder, company, points } in ties {
        writeln!(file, "{holder},{company},{points}")?;
    }
    Ok(file.flush()?)
}

/// Reads a file of edits, in their order.
pub(crate) fn read_edits(path: &Path) -> Result<Vec<Tie>> {
    let mut edits = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    for_each_tie(BufReader::new(file), |tie| edits.push(tie))?;
    Ok(edits)
}

/// Reads a file of nodes, one a line.
pub(crate) fn read_nodes(path: &Path) -> Result<Vec<u32>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| line.parse().with_context(|| format!("not a node: `{line}`"))).collect()
}

/// Hands on each tie of a file, so that no more of the file is in memory than a line.
pub(crate) fn for_each_tie(mut file: impl BufRead, mut take: impl FnMut(Tie)) -> Result<()> {
    let mut line = String::new();
    while file.read_line(&mut line)? > 0 {
        let tie = tie_of(line.trim_end()).with_context(|| format!("not a tie: `{}`", line.trim_end()))?;
        take(tie);
        line.clear();
    }
    Ok(())
}

fn tie_of(line: &str) -> Option<Tie> {
    let mut fields = line.split(',').map(|field| field.parse::<u32>().ok());
    let tie = Tie { holder: fields.next()??, company: fields.next()??, points: fields.next()?? };
    (fields.next().is_none() && tie.points <= WHOLE && tie.holder < u32::MAX && tie.company < u32::MAX)
        .then_some(tie)
}

/// The 500 nodes that the shared figures begin from, some of them twice: a linear congruence, its high half.
pub(crate) fn seeds(nodes: u32) -> Vec<u32> {
    let mut state: u64 = 12_345;
    let mut drawn: Vec<u32> = (0..500)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((state >> 33) % u64::from(nodes.max(1))).unwrap_or(0)
        })
        .collect();
    drawn.sort_unstable();
    drawn.dedup();
    drawn
}

/// How many pairs there are, and their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) count: u64,
    pub(crate) checksum: u64,
}

impl Pairs {
    pub(crate) const fn take(&mut self, holder: u32, company: u32) {
        let key = ((holder as u64) << 32 | company as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.checksum ^= (key ^ (key >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_tie_or_refused() {
        let tie = |holder, company, points| Some(Tie { holder, company, points });
        let cases = [
            ("2,568,10000", tie(2, 568, 10_000)),
            ("0,0,1", tie(0, 0, 1)),
            ("0,1,10001", None),
            ("0,1", None),
            ("0,1,2,3", None),
            ("-1,1,2", None),
            ("4294967295,1,2", None),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(tie_of(line), want, "{line}");
        }
    }

    #[test]
    fn a_tie_comes_once() {
        let tie = |holder, points| Tie { holder, company: 9, points };
        assert!(Graph::new(vec![tie(1, 5), tie(1, 6)]).is_err());
        let graph = Graph::new(vec![tie(2, 5), tie(1, 6)]).unwrap();
        assert_eq!((graph.nodes, graph.ties[0].holder), (10, 1));
    }

    #[test]
    fn a_checksum_needs_no_order() {
        let (mut one, mut other) = (Pairs::default(), Pairs::default());
        one.take(1, 2);
        one.take(3, 4);
        other.take(3, 4);
        assert_ne!(one, other);
        other.take(1, 2);
        assert_eq!(one, other);
    }
}
