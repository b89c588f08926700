// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options are the values that one check takes from the configuration beside policy
// and repair. The implementation is a pointer to a struct with a field per key.
type Options interface {
	// Keys returns the keys, each with the field that holds its value.
	Keys() []Option
}

// An Option is one key of the configuration of a check.
type Option struct {
	Key     string // "interval"
	Meaning string // for the documentation: sentences
	Value   Value  // the field, its default, and what it accepts
}

// A Value is a field of an options struct, with its default and what it accepts.
// Duration, Int, Text, OneOf and List return one.
type Value interface {
	// Default returns the default as one would write it in JSON: "5m" with its quotes.
	Default() string
	reset()                    // sets the field to its default
	set(json.RawMessage) error // leaves the field alone where it returns an error
}

// A field is what all values have in common.
type field[V any] struct {
	at        *V
	byDefault V
}

func (f *field[V]) reset() { *f.at = f.byDefault }

func (f *field[V]) Default() string {
	text, err := json.Marshal(f.byDefault)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Duration is a time from least to most, which JSON has as text such as "200ms".
func Duration(at *time.Duration, byDefault, least, most time.Duration) Value {
	return &durationValue{field[time.Duration]{at, byDefault}, least, most}
}

type durationValue struct {
	field[time.Duration]
	least, most time.Duration
}

func (v *durationValue) set(raw json.RawMessage) error {
	d, err := ParseDuration(raw)
	if err == nil && (d < v.least || d > v.most) {
		err = fmt.Errorf("%s is not from %s to %s", d, v.least, v.most)
	}
	if err == nil {
		*v.at = d
	}
	return err
}

// Default returns the duration without the zeros that String appends: 5m, not 5m0s.
func (v *durationValue) Default() string {
	text := v.byDefault.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	return strconv.Quote(text)
}

// ParseDuration reads JSON text such as "200ms", which must not be negative.
func ParseDuration(raw json.RawMessage) (time.Duration, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return 0, fmt.Errorf(`want a duration such as "200ms": %w`, err)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf(`want a duration such as "200ms": %w`, err)
	}
	if d < 0 {
		return 0, fmt.Errorf("%s is negative", text)
	}
	return d, nil
}

// Int is a whole number from least to most; math.MaxInt is no limit.
func Int(at *int, byDefault, least, most int) Value {
	return &intValue{field[int]{at, byDefault}, least, most}
}

type intValue struct {
	field[int]
	least, most int
}

func (v *intValue) set(raw json.RawMessage) error {
	var n int
	if err := json.Unmarshal(raw, &n); err != nil || n < v.least || n > v.most {
		limit := ""
		if v.most != math.MaxInt {
			limit = fmt.Sprintf(" to %d", v.most)
		}
		return fmt.Errorf("want a whole number from %d%s, not %s", v.least, limit, raw)
	}
	*v.at = n
	return nil
}

// Text is any text.
func Text(at *string, byDefault string) Value { return &textValue{field[string]{at, byDefault}} }

type textValue struct{ field[string] }

func (v *textValue) set(raw json.RawMessage) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("want a text in quotes: %w", err)
	}
	*v.at = text
	return nil
}

// OneOf is the default or one of the other words.
func OneOf[W ~string](at *W, byDefault W, others ...W) Value {
	return &wordValue[W]{field[W]{at, byDefault}, others}
}

type wordValue[W ~string] struct {
	field[W]
	others []W
}

func (v *wordValue[W]) set(raw json.RawMessage) error {
	valid := []string{string(v.byDefault)}
	for _, w := range v.others {
		valid = append(valid, string(w))
	}
	var word string
	if err := json.Unmarshal(raw, &word); err != nil {
		return fmt.Errorf("want a word%s", Suggest("", valid))
	}
	if !slices.Contains(valid, word) {
		return fmt.Errorf("%s is unknown%s", Quote(word), Suggest(word, valid))
	}
	*v.at = W(word)
	return nil
}

// List is a list of texts that parse reads, of which example is one.
func List[E any](at *[]E, byDefault []E, example string, parse func(string) (E, error)) Value {
	return &listValue[E]{field[[]E]{at, byDefault}, example, parse}
}

type listValue[E any] struct {
	field[[]E]
	example string
	parse   func(string) (E, error)
}

func (v *listValue[E]) set(raw json.RawMessage) error {
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return fmt.Errorf("want a list such as [%q]: %w", v.example, err)
	}
	all := make([]E, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = v.parse(text); err != nil {
			return err
		}
	}
	*v.at = all
	return nil
}

func (v *listValue[E]) Default() string {
	if len(v.byDefault) == 0 {
		return "[]"
	}
	return v.field.Default()
}

// NewOptions returns options of the same type with their defaults.
func NewOptions(sample Options) Options {
	o := reflect.New(reflect.TypeOf(sample).Elem()).Interface().(Options)
	for _, option := range o.Keys() {
		option.Value.reset()
	}
	return o
}

// OptionsOf returns the options of type O, a pointer to a struct: those in set, or else
// the defaults.
func OptionsOf[O Options](set []Options) O {
	var o O
	for _, found := range set {
		if o, ok := found.(O); ok {
			return o
		}
	}
	return NewOptions(o).(O)
}
