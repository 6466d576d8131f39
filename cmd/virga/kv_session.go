package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// keptSession is a client's session that a file keeps from one command to the next.
type keptSession struct {
	path       string // empty: there is no session
	guarantees string
	open       *sdk.Session // once it was needed
}

func (k *keptSession) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&k.path, "session", k.path, "file that keeps what get, put and their like have seen, for the guarantees; made if it is missing")
	flags.StringVar(&k.guarantees, "guarantees", k.guarantees, "of a new session: monotonic-reads, read-your-writes, monotonic-writes, writes-follow-reads, pram or all (default all)")
}

// enter makes a client part of the session, if there is one.
func (k *keptSession) enter(client *sdk.Client) (*sdk.Client, error) {
	if k.path == "" {
		return client, nil
	}
	if k.open == nil {
		var err error
		if k.open, err = k.load(); err != nil {
			return nil, err
		}
	}
	return client.WithSession(k.open), nil
}

func (k *keptSession) load() (*sdk.Session, error) {
	token, err := os.ReadFile(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return k.begin()
	case err != nil:
		return nil, mesh.Errorf(mesh.Invalid, "session", "%w", err)
	}
	session, err := sdk.OpenSession(token)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "session", "file %s: %w", k.path, err)
	}
	return session, nil
}

func (k *keptSession) begin() (*sdk.Session, error) {
	if k.guarantees == "" {
		return sdk.NewSession(sdk.AllGuarantees), nil
	}
	g, err := sdk.ParseGuarantees(k.guarantees)
	if err != nil {
		return nil, usagef("--guarantees: %s", mesh.AsError("", err).Text())
	}
	return sdk.NewSession(g), nil
}

// save writes the session to its file, whole or not at all.
func (k *keptSession) save() error {
	if k.open == nil {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(k.path), filepath.Base(k.path)+".*")
	if err != nil {
		return sessionNotKept(err)
	}
	_, err = file.Write(k.open.Token())
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), k.path)
	}
	if err != nil {
		return errors.Join(sessionNotKept(err), os.Remove(file.Name()))
	}
	return nil
}

func sessionNotKept(err error) error {
	return mesh.Errorf(mesh.Unavailable, "session", "what was seen could not be kept: %w", err)
}
