// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"errors"
	"fmt"
)

// Remove takes all entries of the guard out of a conflist, with what stands
// between them and their neighbours, so that Remove of what Insert made is the
// document from before, byte for byte. A list without the guard stays as it is.
func Remove(doc []byte) ([]byte, error) {
	l, err := lay(doc)
	if err != nil {
		return nil, fmt.Errorf("remove cni-guard: %w", err)
	}
	without, err := l.without()
	if err != nil {
		return nil, fmt.Errorf("remove cni-guard: %w", err)
	}
	return without.doc, nil
}

// remove cuts from the end of the entry before to the end of the guard's, and in
// front of the first entry that is not the guard's, up to that.
func (l layout) remove() ([]byte, error) {
	var doc []byte
	at := 0 // what is before is copied or cut
	kept := -1
	for i, e := range l.entries {
		if e.guard {
			continue
		}
		if kept < 0 {
			doc, at = append(doc, l.doc[:l.entries[0].from]...), e.from
		} else if i > kept+1 { // guards between the two are cut with what is before each
			doc = append(doc, l.doc[at:l.entries[kept].to]...)
			at = l.entries[i-1].to
		}
		kept = i
	}
	if kept < 0 {
		return nil, errors.New("it is the only plugin of the list, which no runtime takes without one: remove the file, or give it the plugin of your network")
	}
	doc = append(doc, l.doc[at:l.entries[kept].to]...)
	return append(doc, l.doc[l.entries[len(l.entries)-1].to:]...), nil
}
