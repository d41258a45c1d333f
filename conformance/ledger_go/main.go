// Verifies a served Ringfence ledger with Go's checksum-database code, which shares nothing with ours.
//
//	main [-older FILE] [-receipt FILE] URL VKEY
//
// It reads URL/checkpoint and the tiles below URL/tile/, checks the checkpoint's signature, recomputes the root,
// authenticates every leaf hash and compares each with its entry. With -older it proves that the log continues that
// checkpoint, with -receipt that a C2SP tlog-proof leads from its entry to a signed root.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// bundleLevel is how x/mod numbers the tiles that hold entries instead of hashes.
const bundleLevel = -1

// log is a served log; it is the TileReader of x/mod.
type log struct{ url string }

func (l log) Height() int                     { return 8 }
func (l log) SaveTiles([]tlog.Tile, [][]byte) {}
func (l log) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		data, err := l.get(path(tile))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

// path drops the tile height from x/mod's path, which C2SP fixes at 8, and renames the data tiles.
func path(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func (l log) get(path string) ([]byte, error) {
	response, err := http.Get(strings.TrimSuffix(l.url, "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}

// open checks a checkpoint's signature.
func open(signed []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the checkpoint is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// checkEntries compares every entry of every bundle with its authenticated leaf hash.
func checkEntries(l log, tree tlog.Tree, hashes tlog.HashReader) (int64, error) {
	var checked int64
	for n := int64(0); n*256 < tree.N; n++ {
		tile := tlog.Tile{H: 8, L: bundleLevel, N: n, W: 256}
		if left := tree.N - n*256; left < 256 {
			tile.W = int(left)
		}
		bundle, err := l.get(path(tile))
		if err != nil {
			return checked, err
		}
		var indexes []int64
		var leaves []tlog.Hash
		for len(bundle) > 0 {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return checked, fmt.Errorf("%s ends inside an entry", path(tile))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			leaves = append(leaves, tlog.RecordHash(bundle[2:end]))
			indexes = append(indexes, tlog.StoredHashIndex(0, n*256+int64(len(indexes))))
			bundle = bundle[end:]
		}
		if len(leaves) != tile.W {
			return checked, fmt.Errorf("%s has %d entries", path(tile), len(leaves))
		}
		authenticated, err := hashes.ReadHashes(indexes)
		if err != nil {
			return checked, err
		}
		for i := range leaves {
			if leaves[i] != authenticated[i] {
				return checked, fmt.Errorf("entry %d is not the one that was hashed", n*256+int64(i))
			}
		}
		checked += int64(len(leaves))
	}
	return checked, nil
}

func checkGrowth(tree tlog.Tree, hashes tlog.HashReader, file, vkey string) error {
	signed, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	older, err := open(signed, vkey)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, older.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
		return err
	}
	fmt.Printf("continues the older checkpoint of %d entries\n", older.N)
	return nil
}

// checkReceipt reads a C2SP tlog-proof. Its extra line opens the entry, which is a salted commitment.
func checkReceipt(file, vkey string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("the receipt is malformed")
	}
	opening, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	tree, err := open([]byte(signed), vkey)
	if err != nil {
		return err
	}
	entry := sha256.Sum256(append([]byte("ringfence-entry-v1\n"), opening...))
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry[:])); err != nil {
		return err
	}
	fmt.Printf("the receipt proves entry %d of %d\n", index, tree.N)
	return nil
}

func run(url, vkey, older, receipt string) error {
	l := log{url}
	signed, err := l.get("checkpoint")
	if err != nil {
		return err
	}
	tree, err := open(signed, vkey)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, l)
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("the root over the tiles is not the signed one")
	}
	checked, err := checkEntries(l, tree, hashes)
	if err != nil {
		return err
	}
	fmt.Printf("golang.org/x/mod/sumdb: %d entries, root %v\n", checked, root)
	if older != "" {
		if err := checkGrowth(tree, hashes, older, vkey); err != nil {
			return err
		}
	}
	if receipt != "" {
		return checkReceipt(receipt, vkey)
	}
	return nil
}

func main() {
	older := flag.String("older", "", "a checkpoint that was kept")
	receipt := flag.String("receipt", "", "a C2SP tlog-proof")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: main [-older FILE] [-receipt FILE] URL VKEY")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), *older, *receipt); err != nil {
		fmt.Fprintln(os.Stderr, "ledger_go:", err)
		os.Exit(1)
	}
}
