// SPDX-License-Identifier: Apache-2.0

// Release packs the programs of one commit: an OCI image for all architectures, and for a
// release the archives, the chart, the list of components and the checksums.
//
// The same programs, version and time always make the same bytes: no file has a time, an
// owner or an order of its own.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A release is what the outputs are made of.
type release struct {
	version  string    // "v1.2.0", or what git describe says
	time     time.Time // of the commit: each file has it
	programs string    // directory with a subdirectory of programs for each architecture
	root     string    // the repository
}

// architectures are those of the image and of the archives, in the order of the image's index.
var architectures = [...]string{"amd64", "arm64"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	var r release
	flags.StringVar(&r.version, "version", "", "version of the programs")
	flags.StringVar(&r.programs, "programs", "", "directory with amd64/ and arm64/")
	flags.StringVar(&r.root, "root", ".", "the repository")
	epoch := flags.Int64("epoch", 0, "time of every file, in seconds since 1970 (SOURCE_DATE_EPOCH)")
	out := flags.String("o", "dist", "directory of the results")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.version == "" || r.programs == "" || *epoch <= 0 || flags.NArg() != 1 {
		return fmt.Errorf("usage: release -version V -programs DIR -epoch SECONDS [-o DIR] image|all")
	}
	r.time = time.Unix(*epoch, 0).UTC()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", *out, err)
	}
	switch what := flags.Arg(0); what {
	case "image":
		_, err := r.image(*out)
		return err
	case "all":
		return r.all(*out)
	default:
		return fmt.Errorf("unknown output %q: image or all", what)
	}
}

// all writes everything that a release publishes, and its checksums.
func (r release) all(out string) error {
	var names []string
	for _, make := range []func(string) (string, error){
		r.image,
		func(out string) (string, error) { return r.archive(out, "amd64") },
		func(out string) (string, error) { return r.archive(out, "arm64") },
		r.chart,
		r.components,
		r.notes,
	} {
		name, err := make(out)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	return checksums(out, names)
}

// binaries returns the paths of the programs of one architecture by name, in the order of their names.
func (r release) binaries(arch string, names ...string) ([]file, error) {
	var files []file
	for _, name := range names {
		path := filepath.Join(r.programs, arch, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the program %s of %s: %w", name, arch, err)
		}
		files = append(files, file{name: name, mode: 0o755, data: data})
	}
	return files, nil
}
