package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateAge is how long a certificate is used before its files are looked at
// again.
const certificateAge = 10 * time.Second

// Certificate is a TLS certificate in two PEM files, read again when they change. A
// pair that does not fit together, as in the middle of a change, is not taken: the
// one before stays. Its methods may be called from any goroutine.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]time.Time // when the files were last changed
	checked time.Time
}

// NewCertificate reads a certificate and its key. log, if it is not nil, is told of
// changes.
func NewCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files now.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reload()
}

func (c *Certificate) reload() error {
	c.checked = time.Now()
	stamp, err := c.stamps()
	if err != nil {
		return fmt.Errorf("server: certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("server: certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

// stamps says when the files were changed.
func (c *Certificate) stamps() (stamp [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// current is the certificate for a handshake.
func (c *Certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateAge {
		return c.pair, nil
	}
	c.checked = time.Now()
	stamp, err := c.stamps()
	if err == nil && stamp != c.stamp {
		if err = c.reload(); err == nil {
			c.log.Info("certificate changed", "file", c.certFile)
		}
	}
	if err != nil {
		c.log.Error("certificate not read again", "error", err)
	}
	return c.pair, nil
}

// config is how to speak TLS with the certificate.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.current,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}
