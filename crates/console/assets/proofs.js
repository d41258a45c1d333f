// What a browser recomputes of the ledger: signed notes, inclusion and consistency. It believes the key, and nothing else.
// No page is needed for it, so it can be tried alone.

const encoder = new TextEncoder();
const EMPTY_ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
export const textOf = (bytes) => btoa(String.fromCharCode(...bytes));

const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

// RFC 9162 §2.1.1: leaves and nodes are hashed apart.
const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);
const isOdd = (number) => number % 2 === 1;
const half = (number) => Math.floor(number / 2);

/** Whether the tree of `size` leaves with this root has `leaf` at `index` (RFC 9162 §2.1.3.2). */
export async function holdsInclusion(proof, index, leaf, size, root) {
  if (!(index < size)) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = await nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && same(hash, root);
}

/** Whether the tree of `old` leaves is a prefix of the tree of `size` leaves (RFC 9162 §2.1.4.2). */
export async function holdsConsistency(proof, old, oldRoot, size, root) {
  if (old === 0) return proof.length === 0 && same(oldRoot, bytesOf(EMPTY_ROOT));
  if (old === size) return proof.length === 0 && same(oldRoot, root);
  if (old > size) return false;
  const isComplete = Number.isInteger(Math.log2(old));
  const [first, ...rest] = isComplete ? [oldRoot, ...proof] : proof;
  if (!first) return false;
  let [node, last] = [old - 1, size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [before, now] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      before = await nodeHash(sibling, before);
      now = await nodeHash(sibling, now);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      now = await nodeHash(now, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && same(before, oldRoot) && same(now, root);
}

/** A key as text, `name+id+key` (C2SP signed-note), or nothing if it is none. */
export async function readKey(vkey) {
  const [, name, id, key] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey.trim()) ?? [];
  if (!key) return null;
  const raw = bytesOf(key);
  const hash = (await sha256(encoder.encode(`${name}\n`), raw)).slice(0, 4);
  const hex = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return raw[0] === 1 && raw.length === 33 && hex === id ? { name, hash, raw: raw.slice(1) } : null;
}

/** The head that a signed note tells of: origin, size, root. */
export function readCheckpoint(note) {
  const end = note.indexOf("\n\n");
  const [origin, size, root] = note.slice(0, end).split("\n");
  return { origin, size: Number(size), root: bytesOf(root) };
}

/** Whether a note is signed by a key: true, false, or null if this browser has no Ed25519. */
export async function isSigned(note, key) {
  const end = note.indexOf("\n\n");
  const text = encoder.encode(note.slice(0, end + 1));
  for (const line of note.slice(end + 2).split("\n")) {
    const [dash, name, base64] = line.split(" ");
    if (dash !== "—" || name !== key.name || !base64) continue;
    const signature = bytesOf(base64);
    if (!same(signature.slice(0, 4), key.hash)) continue;
    try {
      const imported = await crypto.subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
      return await crypto.subtle.verify("Ed25519", imported, signature.slice(4), text);
    } catch {
      return null;
    }
  }
  return false;
}

/** Takes a receipt (C2SP tlog-proof) apart, or gives nothing if it is none. */
export function readReceipt(text) {
  const end = text.indexOf("\n\n");
  const [header, ...lines] = text.slice(0, end).split("\n");
  if (header !== "c2sp.org/tlog-proof@v1" || !lines[0]?.startsWith("extra ") || !lines[1]?.startsWith("index ")) return null;
  const opening = bytesOf(lines[0].slice(6));
  return {
    opening,
    body: new TextDecoder().decode(opening.slice(32)),
    index: Number(lines[1].slice(6)),
    proof: lines.slice(2).map(bytesOf),
    note: text.slice(end + 2),
  };
}

/** The leaf of an entry that is opened so: a salt of 32 bytes, and what the entry says. */
export async function leafOf(opening) {
  return leafHash(await sha256(encoder.encode("ringfence-entry-v1\n"), opening));
}
