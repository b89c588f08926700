// SPDX-License-Identifier: Apache-2.0

package load

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// soakPods is how many pods `make test` runs; `make soak` runs many more.
const soakPods = 60

// A node lives for months: pods come and go by the thousand, and now and then a
// process ID of one that ended belongs to another process when DEL comes. Whatever mix
// of that a node gets, it is in the end what it was in the beginning.
func TestSoak(t *testing.T) {
	pods := setting(t, "CNI_GUARD_SOAK", soakPods)
	seed := setting(t, "CNI_GUARD_SEED", rand.IntN(1<<30))
	t.Logf("%d pods; CNI_GUARD_SEED=%d makes the same ones again", pods, seed)
	s := newSoak(t, rand.New(rand.NewPCG(uint64(seed), 0)))
	before := s.whole()
	for i := range pods {
		if i%restartEvery == 0 {
			s.restartRuntime()
		}
		s.pod(i)
		if t.Failed() {
			t.Fatalf("pod %d was the last", i)
		}
		if (i+1)%1000 == 0 {
			t.Logf("%d pods have come and gone", i+1)
		}
	}
	s.wantWhole(before)
	s.wantNothingHeld()
	t.Logf("how they ended: %v", s.ends)
}

// restartEvery bounds what the runtime of the tests remembers of its calls.
const restartEvery = 50

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number of 1 or more", name, text)
	}
	return n
}
