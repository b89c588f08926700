// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"fmt"
	"os"
)

// List gives what is in quarantine in a folder, in the order of names. Files
// whose record is lost are among them, with the trouble.
func List(dir string) ([]Record, error) {
	d := &folder{path: dir}
	records, err := d.list()
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	return records, nil
}

func (d *folder) list() ([]Record, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var records []Record
	for _, e := range entries {
		if _, ok := original(e.Name()); ok && !e.IsDir() {
			records = append(records, d.read(e.Name()))
		}
	}
	return records, nil
}
