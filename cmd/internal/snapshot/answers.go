// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// Answers are questions with the answers that they got, in the order in which they were
// asked first. A question may have had several answers, one after the other: a counter
// grows. The zero Answers have none.
type Answers struct {
	mu     sync.Mutex
	asked  []*question
	byText map[string]*question

	missed func(question string) // is called for a question without an answer; may be nil
}

// A question is a call of a method, with what it returned.
type question struct {
	Ask     []any    `json:"ask"` // the name of the method, and its arguments
	Answers []answer `json:"answers"`

	text string
	next int // the answer that a replay gives next
	left int // how often it gives that one before the next
}

// An answer is what a method returned, once or several times in a row.
type answer struct {
	Value json.RawMessage `json:"value,omitempty"`
	Err   *failure        `json:"error,omitempty"`
	Times int             `json:"times,omitempty"` // 0 is once
}

func textOf(ask []any) string {
	text, err := json.Marshal(ask)
	if err != nil {
		return fmt.Sprint(ask...)
	}
	return string(text)
}

// add records an answer.
func (a *Answers) add(ask []any, got answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.find(ask)
	if n := len(q.Answers); n > 0 {
		last := &q.Answers[n-1]
		if bytes.Equal(last.Value, got.Value) && textOf([]any{last.Err}) == textOf([]any{got.Err}) {
			last.Times = max(last.Times, 1) + 1
			return
		}
	}
	q.Answers = append(q.Answers, got)
}

// find returns the question, which it adds if it is new. The caller holds the lock.
func (a *Answers) find(ask []any) *question {
	text := textOf(ask)
	if q := a.byText[text]; q != nil {
		return q
	}
	if a.byText == nil {
		a.byText = map[string]*question{}
	}
	q := &question{Ask: ask, text: text}
	a.asked, a.byText[text] = append(a.asked, q), q
	return q
}

// get returns the next answer to a question: those that were recorded in their order, and
// from then on the last.
func (a *Answers) get(ask []any) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := textOf(ask)
	q := a.byText[text]
	if q == nil || len(q.Answers) == 0 {
		if a.missed != nil {
			a.missed(text)
		}
		return answer{}, false
	}
	got := q.Answers[q.next]
	if q.left == 0 {
		q.left = max(got.Times, 1)
	}
	if q.left--; q.left == 0 && q.next < len(q.Answers)-1 {
		q.next++
	}
	return got, true
}

// rewind makes the replay begin again.
func (a *Answers) rewind() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.asked {
		q.next, q.left = 0, 0
	}
}

// MarshalJSON returns the questions as an array.
func (a *Answers) MarshalJSON() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	if asked == nil {
		asked = []*question{}
	}
	return json.Marshal(asked)
}

// UnmarshalJSON reads what MarshalJSON returns.
func (a *Answers) UnmarshalJSON(text []byte) error {
	var asked []*question
	if err := json.Unmarshal(text, &asked); err != nil {
		return err
	}
	for i, q := range asked {
		if q == nil || len(q.Ask) == 0 {
			return fmt.Errorf("question %d has no text", i)
		}
		stored := a.find(q.Ask)
		stored.Answers = append(stored.Answers, q.Answers...)
	}
	return nil
}

// record asks and records what it got.
func record[T any](a *Answers, value T, err error, ask ...any) (T, error) {
	got := answer{Err: failureOf(err)}
	if err == nil {
		text, encodeErr := json.Marshal(value)
		if encodeErr != nil {
			return value, nil // not recorded, so that a replay does not know it
		}
		got.Value = text
	}
	a.add(ask, got)
	return value, err
}

// replay returns what was recorded. The error wraps ErrNotRecorded if nothing was.
func replay[T any](a *Answers, ask ...any) (value T, err error) {
	got, ok := a.get(ask)
	if !ok {
		return value, fmt.Errorf("%s: %w", describe(ask), ErrNotRecorded)
	}
	if got.Err != nil {
		return value, got.Err.err()
	}
	if err := json.Unmarshal(got.Value, &value); err != nil {
		return value, fmt.Errorf("%s: read the answer in the bundle: %w", describe(ask), err)
	}
	return value, nil
}

// describe returns a question for people: "Sysctl net/ipv4/ip_forward".
func describe(ask []any) string {
	var b bytes.Buffer
	for i, part := range ask {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, part)
	}
	return b.String()
}
