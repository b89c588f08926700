// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// search looks for the guard's own file in several folders. Where two have one,
// nobody can tell whose the pods are: of a runtime that is gone the folder stays,
// and to refuse k3s's pods for what lies in /etc/cni/net.d would be wrong.
func (t *Target) search(dirs []string, r conflist.Runtime) (*folder, error) {
	var trouble error
	var found *folder
	for _, dir := range dirs {
		names, err := conflist.Names(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			trouble = errors.Join(trouble, err)
		}
		f := t.open(dir, names, r)
		switch {
		case f.own == "":
		case found == nil:
			found = f
		case !sameFolder(found.Dir, dir):
			return nil, fmt.Errorf("%s and %s both have a file with cni-guard in %s; %w", assess.QuoteName(found.Path(found.own)), assess.QuoteName(f.Path(f.own)), networkWords(t.Conf.Network), errWhichFolder)
		}
	}
	switch {
	case found != nil:
		return found, nil
	case trouble != nil:
		return nil, trouble
	}
	return nil, fmt.Errorf("no file in %s has cni-guard in %s; %w", strings.Join(dirs, ", "), networkWords(t.Conf.Network), errNoOwnFile)
}

// errWhichFolder says that several folders have a file of the network with the
// guard in it.
var errWhichFolder = errors.New(`set "confDir" to the conf_dir of the runtime that calls`)

// sameFolder tells whether one of them is a link to the other.
func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
