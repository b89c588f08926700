// SPDX-License-Identifier: Apache-2.0

package conflist

// Parse parses the content that a file of that name would have, as Read does but
// without the drop-ins of its folder: a list without plugins of its own passes.
func Parse(name string, doc []byte) (List, error) { return rules{}.parse(doc, isList(name)) }
