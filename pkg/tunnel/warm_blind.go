// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
)

// blindly asks a few, and waits for none. Nobody can know who was asked already,
// or that somebody else asks right now; and many pods may start at once.
func (w *Warmer) blindly(ctx context.Context, why error) (Warmth, error) {
	peers, err := w.peers()
	if err != nil {
		return Warmth{}, errors.Join(why, err)
	}
	peers = askable(peers)
	warmth := Warmth{Peers: len(peers)}
	if len(peers) == 0 {
		return warmth, nil
	}
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	peers = peers[:min(len(peers), maxBlind)]
	answers, err := Probe(ctx, w.Open, peers, ProbeOptions{Within: 10 * grace})
	if err != nil {
		return warmth, errors.Join(why, err)
	}
	for _, a := range answers {
		if a.Sent > 0 {
			warmth.Asked++
		}
	}
	return warmth, fmt.Errorf("%w; %d of %d peers, picked at random, were asked, and none was waited for", why, warmth.Asked, warmth.Peers)
}
