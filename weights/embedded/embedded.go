// Package embedded holds the pair of models that is shipped in the binary: a
// small reasoner and a small judge, in ordinary checkpoint folders, made by the
// recipe in training/. Only cmd and tests import it, so that a program that
// embeds the engine does not carry them.
package embedded

import (
	"embed"
	"io/fs"
)

//go:embed reasoner judge
var folders embed.FS

// Reasoner is the folder of the reasoner's checkpoint.
func Reasoner() fs.FS { return sub("reasoner") }

// Judge is the folder of the judge's checkpoint.
func Judge() fs.FS { return sub("judge") }

func sub(name string) fs.FS {
	folder, err := fs.Sub(folders, name)
	if err != nil {
		panic(err) // the name is a constant of this file
	}
	return folder
}
