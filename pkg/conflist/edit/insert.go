// SPDX-License-Identifier: Apache-2.0

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
	FirstAndLast                  // last, and first as well ("bookend"): it sees ADD before the others act
)

// Insert puts an entry of the guard into a conflist, written as the others are.
// All other bytes stay as they are.
//
// An entry of the guard that is there already stays as the operator wrote it, and
// is only moved, with its bytes, if it is not where it is to be; the one given is
// for the places that have none. So inserting again changes nothing. Of several
// the last one stays, and with Both the first one if it stands first.
func Insert(doc, entry []byte, at Placement) ([]byte, error) {
	if err := checkEntry(entry); err != nil {
		return nil, fmt.Errorf("insert cni-guard: %w", err)
	}
	l, err := lay(doc)
	if err != nil {
		return nil, fmt.Errorf("insert cni-guard: %w", err)
	}
	if l.placed(at) {
		return doc, nil
	}
	first, last := l.present(at)
	if l, err = l.without(); err != nil {
		return nil, fmt.Errorf("insert cni-guard: %w", err)
	}
	if last == nil {
		last = l.style(entry)
	}
	if at == FirstAndLast && first == nil {
		first = l.style(entry)
	}
	return made(l.insert(first, last))
}

// checkEntry refuses an entry that is not the guard's.
func checkEntry(entry []byte) error {
	e := gjson.ParseBytes(entry)
	if !gjson.ValidBytes(entry) || !e.IsObject() {
		return errors.New("the entry is no JSON object")
	}
	guard, err := isGuard(e)
	if err == nil && !guard {
		err = fmt.Errorf(`the entry has not the type %q`, conflist.GuardType)
	}
	return err
}

// placed tells whether the guard is where it is to be, and nowhere else.
func (l layout) placed(at Placement) bool {
	n := len(l.entries)
	for i, e := range l.entries {
		if e.guard != (i == n-1 || at == FirstAndLast && i == 0) {
			return false
		}
	}
	return at == Last || n > 1
}

// present gives the bytes of the entries that are to stay; nil where there is none.
func (l layout) present(at Placement) (first, last []byte) {
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

// without is the layout of the document without the guard.
func (l layout) without() (layout, error) {
	if !slices.ContainsFunc(l.entries, func(e span) bool { return e.guard }) {
		return l, nil
	}
	doc, err := l.remove()
	if err != nil {
		return l, err
	}
	return lay(doc)
}

// insert puts the entries at both ends; one that is nil is left out.
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

// made gives a document that a runtime reads; none other is given out.
func made(doc []byte) ([]byte, error) {
	if _, err := lay(doc); err != nil {
		return nil, fmt.Errorf("edit list of plugins: the result would be refused: %w", err)
	}
	return doc, nil
}
