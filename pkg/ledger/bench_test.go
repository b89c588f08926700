// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"testing"
)

func BenchmarkPut(b *testing.B) {
	l := Ledger(memory(b))
	r := record(key("a1"))
	for b.Loop() {
		must(b, l.Put(r))
	}
}

// The cost must not grow with the pods of the node.
func BenchmarkGet(b *testing.B) {
	for _, others := range []int{0, 1000} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			l := Ledger(memory(b))
			for i := range others {
				must(b, l.Put(record(key(containerID(i)))))
			}
			must(b, l.Put(record(key("a1"))))
			for b.Loop() {
				_, err := l.Get(key("a1"))
				must(b, err)
			}
		})
	}
}

// What a call costs beyond its own record, where that does not settle whose the
// namespace is: no record has the cookie, the worst case.
func BenchmarkHolder(b *testing.B) {
	for _, records := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			l := Ledger(memory(b))
			for i := range records {
				must(b, l.Put(record(key(containerID(i)))))
			}
			for b.Loop() {
				r, err := l.Holder(b.Context(), 7, boot, "a1")
				if must(b, err); r != nil {
					b.Fatal("there is no such record")
				}
			}
		})
	}
}
