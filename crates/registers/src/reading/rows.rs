//! Rows of a CSV file, read in bounded memory.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::RECORD_BYTES_MAX;
use super::json::{PutBack, without_mark};

/// Rows as the `csv` crate reads them. A quote that is never closed would make one row of the rest of the file: here
/// reading fails once a row has taken more than [`RECORD_BYTES_MAX`] bytes.
pub(crate) struct Rows<R: BufRead> {
    reader: csv::Reader<Metered<R>>,
    taken: Rc<Cell<usize>>,
}

/// Reads rows: `headers` tells whether the first names the columns, `delimiter` what parts them.
pub(crate) fn rows<R: BufRead>(reader: R, headers: bool, delimiter: u8) -> Rows<R> {
    let taken = Rc::new(Cell::new(0));
    let metered = Metered { reader: Begun::Not(Some(reader)), taken: Rc::clone(&taken) };
    let reader = csv::ReaderBuilder::new()
        .has_headers(headers)
        .delimiter(delimiter)
        .flexible(true)
        .buffer_capacity(64 << 10)
        .from_reader(metered);
    Rows { reader, taken }
}

impl<R: BufRead> Rows<R> {
    /// The columns' names.
    ///
    /// # Errors
    ///
    /// Fails if the first row cannot be read.
    pub(crate) fn headers(&mut self) -> Result<Vec<String>, csv::Error> {
        let headers = self.reader.byte_headers()?;
        Ok(headers.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
    }

    /// Reads the next row and tells its line; `None` at the end.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read any further.
    pub(crate) fn next(&mut self, row: &mut csv::ByteRecord) -> Result<Option<u64>, csv::Error> {
        self.taken.set(0);
        let more = self.reader.read_byte_record(row)?;
        Ok(more.then(|| row.position().map_or(0, csv::Position::line)))
    }
}

/// A reader that leaves out a byte order mark and refuses to feed one row for ever.
struct Metered<R: BufRead> {
    reader: Begun<R>,
    taken: Rc<Cell<usize>>,
}

enum Begun<R: BufRead> {
    Not(Option<R>),
    Is(PutBack<R>),
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken.get() > RECORD_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a row is longer than 16 MiB: is a quote not closed?",
            ));
        }
        if let Begun::Not(reader) = &mut self.reader
            && let Some(reader) = reader.take()
        {
            self.reader = Begun::Is(without_mark(reader)?);
        }
        match &mut self.reader {
            Begun::Not(_) => Ok(0),
            Begun::Is(reader) => {
                let read = reader.read(out)?;
                self.taken.set(self.taken.get() + read);
                Ok(read)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_end_stops_the_reading() {
        let mut text = b"a,b\n1,2\n\"".to_vec();
        text.resize(RECORD_BYTES_MAX + (1 << 20), b'x');
        let mut rows = rows(text.as_slice(), true, b',');
        let mut row = csv::ByteRecord::new();
        assert_eq!(rows.headers().unwrap(), ["a", "b"]);
        assert_eq!(rows.next(&mut row).unwrap(), Some(2));
        assert!(rows.next(&mut row).is_err());
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        let mut rows = rows("\u{feff}a,b\n1,2\n".as_bytes(), true, b',');
        assert_eq!(rows.headers().unwrap(), ["a", "b"]);
    }
}
