package engine

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// Credentials tell a client of this machine how to reach the engine. They
// are written to credentials.json with mode 0600.
type Credentials struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	Account   string `json:"account"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// ensureRoot makes the root credentials at the first start, and writes the
// file for clients at every one.
func ensureRoot(s *store.Store, set Settings, dir string) (Credentials, error) {
	c := Credentials{Endpoint: "http://" + clientAddress(set.API), Region: set.Region, Account: set.Account}
	err := s.Update(func(tx *store.Tx) error {
		c.AccessKey, c.SecretKey = iam.EnsureRoot(tx, set.Account)
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("root credentials: %w", err)
	}
	return c, writeFile(filepath.Join(dir, credentialsFile), c)
}

// credentials looks access keys up for the API.
func credentials(s *store.Store) func(string) (awsapi.Credential, bool) { return iam.Credentials(s) }

// secretFile reads a random key of 32 bytes, and makes it the first time.
func secretFile(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) == 32 {
		return key, nil
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("write a new key: %w", err)
	}
	return key, nil
}
