// SPDX-License-Identifier: Apache-2.0

// Package edit inserts the guard's entry into a list of plugins, and removes it, without
// changing any other byte: decoding and encoding would lose the order of keys, the
// indentation, and numbers beyond a float64.
//
// It never produces what libcni refuses. It refuses to edit what two parsers could read
// differently: duplicate keys, escaped keys, a byte order mark, comments. The caller adds
// the file name to the errors.
package edit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A Placement says where the guard's entry goes. The zero Placement is Last.
type Placement uint8

// The placements.
const (
	Last         Placement = iota // last: the last on ADD, the first on DEL
	FirstAndLast                  // "bookend": also first, so that it is called on ADD before the others
)

// Insert inserts an entry of the guard into a list, formatted as the others are. All
// other bytes stay as they are.
//
// An existing entry of the guard keeps its bytes, and is only moved if it is in the wrong
// place; the given entry is for the places without one. Inserting again therefore changes
// nothing. Of several entries the last one stays, and with FirstAndLast also the first
// one if it is at the front.
func Insert(doc, entry []byte, at Placement) ([]byte, error) {
	if err := checkEntry(entry); err != nil {
		return nil, fmt.Errorf("insert cni-guard: %w", err)
	}
	l, err := parseLayout(doc)
	if err != nil {
		return nil, fmt.Errorf("insert cni-guard: %w", err)
	}
	if l.isPlaced(at) {
		return doc, nil
	}
	first, last := l.presentEntries(at)
	if l, err = l.withoutGuard(); err != nil {
		return nil, fmt.Errorf("insert cni-guard: %w", err)
	}
	if last == nil {
		last = l.style(entry)
	}
	if at == FirstAndLast && first == nil {
		first = l.style(entry)
	}
	return checked(l.insert(first, last))
}

// checkEntry returns an error for an entry that is not the guard's.
func checkEntry(entry []byte) error {
	e := gjson.ParseBytes(entry)
	if !gjson.ValidBytes(entry) || !e.IsObject() {
		return errors.New("the entry is not a JSON object")
	}
	guard, err := isGuard(e)
	if err == nil && !guard {
		err = fmt.Errorf(`the entry does not have the type %q`, conflist.GuardType)
	}
	return err
}

// isPlaced reports whether the guard is at its placement, and nowhere else.
func (l layout) isPlaced(at Placement) bool {
	n := len(l.entries)
	for i, e := range l.entries {
		if e.guard != (i == n-1 || at == FirstAndLast && i == 0) {
			return false
		}
	}
	return at == Last || n > 1
}

// presentEntries returns the bytes of the entries that stay; nil if there is none.
func (l layout) presentEntries(at Placement) (first, last []byte) {
	n := len(l.entries)
	for i, e := range slices.Backward(l.entries) {
		switch {
		case !e.guard:
		case i == 0 && at == FirstAndLast && n > 1:
			first = l.doc[e.from:e.to]
		case last == nil:
			last = l.doc[e.from:e.to]
		}
	}
	return first, last
}

// withoutGuard returns the layout of the document without the guard.
func (l layout) withoutGuard() (layout, error) {
	if !slices.ContainsFunc(l.entries, func(e span) bool { return e.guard }) {
		return l, nil
	}
	doc, err := l.remove()
	if err != nil {
		return l, err
	}
	return parseLayout(doc)
}

// insert inserts the entries at both ends; nil is left out.
func (l layout) insert(first, last []byte) []byte {
	separator := l.separator()
	start, end := l.entries[0].from, l.entries[len(l.entries)-1].to
	var doc []byte
	doc = append(doc, l.doc[:start]...)
	if first != nil {
		doc = append(append(doc, first...), separator...)
	}
	doc = append(doc, l.doc[start:end]...)
	doc = append(append(doc, separator...), last...)
	return append(doc, l.doc[end:]...)
}

// checked returns a document, or an error if no runtime would load it.
func checked(doc []byte) ([]byte, error) {
	if _, err := parseLayout(doc); err != nil {
		return nil, fmt.Errorf("edit list of plugins: the result would be refused: %w", err)
	}
	return doc, nil
}

// Remove removes all entries of the guard from a list, with the separators, so that it
// undoes Insert byte for byte. A list without the guard stays as it is.
func Remove(doc []byte) ([]byte, error) {
	l, err := parseLayout(doc)
	if err != nil {
		return nil, fmt.Errorf("remove cni-guard: %w", err)
	}
	without, err := l.withoutGuard()
	if err != nil {
		return nil, fmt.Errorf("remove cni-guard: %w", err)
	}
	return without.doc, nil
}

// remove cuts each of the guard's entries from the end of the entry before it, and those
// at the front up to the first entry that is not the guard's.
func (l layout) remove() ([]byte, error) {
	var doc []byte
	at := 0 // everything before it is copied or cut
	kept := -1
	for i, e := range l.entries {
		if e.guard {
			continue
		}
		if kept < 0 {
			doc, at = append(doc, l.doc[:l.entries[0].from]...), e.from
		} else if i > kept+1 { // the guard's entries between the two are cut with their separators
			doc = append(doc, l.doc[at:l.entries[kept].to]...)
			at = l.entries[i-1].to
		}
		kept = i
	}
	if kept < 0 {
		return nil, errors.New("it is the only plugin of the list, and no runtime loads an empty list: remove the file, or add the plugin of your network")
	}
	doc = append(doc, l.doc[at:l.entries[kept].to]...)
	return append(doc, l.doc[l.entries[len(l.entries)-1].to:]...), nil
}
