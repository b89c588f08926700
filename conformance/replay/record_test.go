// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// recordPath is where the guard keeps what ADD knew of the subject.
func (s *rig) recordPath() string {
	return filepath.Join(s.Dir, "state", "live", "pods:"+s.pod.ID+":eth0")
}

// records returns the files of the subject's records, of both directories.
func (s *rig) records() []string {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "state", "*", filepath.Base(s.recordPath())))
	if err != nil {
		s.Fatal(err)
	}
	return files
}

// forgetRecord makes the subject a pod that the guard never saw.
func (s *rig) forgetRecord() {
	s.Helper()
	if err := os.Remove(s.recordPath()); err != nil {
		s.Fatal(err)
	}
}

// editRecord changes keys of the subject's record.
func (s *rig) editRecord(values map[string]any) {
	s.Helper()
	data, err := os.ReadFile(s.recordPath())
	if err != nil {
		s.Fatal(err)
	}
	record := map[string]any{}
	if err := json.Unmarshal(data, &record); err != nil {
		s.Fatal(err)
	}
	for key, value := range values {
		if _, known := record[key]; !known {
			s.Fatalf("the record has no %q: %s", key, data)
		}
		record[key] = value
	}
	if data, err = json.Marshal(record); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(s.recordPath(), data, 0o600); err != nil {
		s.Fatal(err)
	}
}
