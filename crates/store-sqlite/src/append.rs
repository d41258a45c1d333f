//! Appending one commit.

use model::LabelId;
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};
use store::{Heads, Part, Segment, StoreError, check_commit};

use crate::doing::Doing;
use crate::keys::Key;
use crate::near::{COPIES_MAX, Tail};
use crate::transaction::SqliteTransaction;

impl SqliteTransaction<'_> {
    /// Where the label ends.
    fn tail(&self, label: LabelId) -> Result<Tail, StoreError> {
        match self.tails.get(&label).or_else(|| self.writer.tails.get(&label)) {
            Some(tail) => Ok(*tail),
            None => Tail::read(&self.writer.connection, label),
        }
    }

    fn collection_no(&mut self, uuid: &str) -> Result<i64, StoreError> {
        const COLLECTION: &str = "numbering a collection";
        let known = self
            .writer
            .connection
            .prepare_cached("SELECT no FROM collections WHERE uuid = ?")
            .and_then(|mut one| one.query_row([uuid], |row| row.get(0)).optional())
            .doing(COLLECTION)?;
        if let Some(no) = known {
            return Ok(no);
        }
        self.writer
            .connection
            .prepare_cached("INSERT INTO collections (uuid) VALUES (?)")
            .and_then(|mut insert| insert.insert([uuid]))
            .doing(COLLECTION)
    }

    pub(crate) fn append_commit(&mut self, segments: &[Segment]) -> Result<(), StoreError> {
        const APPEND: &str = "writing a commit";
        let Some(first) = segments.first() else { return Ok(()) };
        check_commit(segments)?;
        let collection = self.collection_no(&first.collection.to_string())?;
        let heads: Vec<Heads> =
            segments.iter().map(|segment| Heads::encode(&segment.heads, &segment.ends)).collect();
        let (mut parts, mut tails) = (Vec::with_capacity(segments.len()), Vec::with_capacity(segments.len()));
        for segment in segments {
            Key::to_write(segment.id)?;
            let (label, count) = (segment.id.label, segment.count());
            let length = u32::try_from(segment.bodies.len()).doing(APPEND)?;
            let tail = self.tail(label)?;
            parts.push(Part { label, count, length, before: tail.total });
            tails.push(tail);
        }
        let mut body_at = self.place_bodies(segments, &heads)?;
        let copies = self.place_copies(segments, &mut tails, body_at)?;
        let sql = "INSERT INTO commits (collection, at, no, marked, file, offset, labels) VALUES (?, ?, ?, 0, ?, ?, ?)";
        self.writer
            .connection
            .prepare_cached(sql)
            .and_then(|mut insert| {
                let (at, no) = (first.at.as_micros(), first.id.commit.0);
                insert.execute((collection, at, no, self.totals.file, body_at, Part::encode(&parts)))
            })
            .doing(APPEND)?;
        let mut heads_at = body_at + parts.iter().map(|part| u64::from(part.length)).sum::<u64>();
        for (index, (segment, heads)) in segments.iter().zip(&heads).enumerate() {
            let (key, before, near) = (Key::to_write(segment.id)?, parts[index].before, copies[index]);
            let (length, heads_length) = (segment.bodies.len() as u64, heads.as_bytes().len() as u64);
            let heads_digest: [u8; 32] = Sha256::digest(heads.as_bytes()).into();
            let sql = "INSERT INTO segments (id, at, before, count, marked, file, offset, length, near, heads_offset,
                       heads_length, collection, digest, heads_digest)
                       VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            self.writer
                .connection
                .prepare_cached(sql)
                .and_then(|mut insert| {
                    let (key, at, count) = (key.number(), segment.at.as_micros(), segment.count());
                    insert.execute(params![
                        key,
                        at,
                        before,
                        count,
                        self.totals.file,
                        body_at,
                        length,
                        near,
                        heads_at,
                        heads_length,
                        collection,
                        segment.digest,
                        heads_digest
                    ])
                })
                .doing(APPEND)?;
            tails[index].follow(segment.count(), self.totals.file, body_at, length);
            self.tails.insert(segment.id.label, tails[index]);
            for (index, head) in (0..).zip(&segment.heads) {
                let (hash, spot) = (store::id_hash(&head.id), (key.number(), index));
                self.new.push((hash, spot));
                self.new_by_hash.add(hash, spot);
            }
            self.totals.objects += u64::from(segment.count());
            self.totals.segments += 1;
            self.totals.body_bytes += length;
            body_at += length;
            heads_at += heads_length;
        }
        Ok(())
    }

    /// Appends all bodies, then all heads, to the body file; returns where the bodies begin.
    fn place_bodies(&mut self, segments: &[Segment], heads: &[Heads]) -> Result<u64, StoreError> {
        if self.totals.file_end >= self.store.tuning.file_size_max {
            self.totals.file += 1;
            self.totals.file_end = 0;
        }
        let start = self.totals.file_end;
        let bodies = segments.iter().map(|segment| segment.bodies.as_slice());
        let parts = bodies.chain(heads.iter().map(Heads::as_bytes));
        self.touched.insert(self.totals.file);
        self.totals.file_end = self.store.bodies.append(self.totals.file, start, parts)?;
        Ok(start)
    }

    /// Writes small segments, whose bodies lie from `start` on, a second time beside others of their labels. Returns for
    /// each segment where its copy begins, if it has one.
    fn place_copies(
        &mut self,
        segments: &[Segment],
        tails: &mut [Tail],
        start: u64,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let (file, far, mut at) = (self.totals.file, self.store.tuning.far, start);
        let mut placed = vec![None; segments.len()];
        let mut wanted = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            let length = segment.bodies.len() as u64;
            if tails[index].wants_copy(file, at, length, far) {
                wanted.push(index);
            }
            at += length;
        }
        if wanted.is_empty() || wanted.len() > COPIES_MAX {
            return Ok(placed);
        }
        let (mut end, mut copies) = (self.totals.file_end, Vec::with_capacity(wanted.len()));
        for index in wanted {
            let bodies = segments[index].bodies.as_slice();
            let (near, end_then) = tails[index].place(file, end, bodies.len() as u64);
            placed[index] = Some(near);
            copies.push((near, bodies));
            end = end_then;
        }
        self.store.bodies.place(file, end, &copies)?;
        self.totals.file_end = end;
        Ok(placed)
    }
}
