package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"deepprune/engine"
)

// writeCertificate writes a certificate of a serial number, for 127.0.0.1.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// So that the change is seen, however coarse the clock of the files.
		at := time.Now().Add(time.Duration(serial) * time.Second)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificate: the server speaks TLS, takes a new certificate while it runs, and
// keeps the one it has when the new one is broken.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	c, err := NewCertificate(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := serveTest(t, Options{TLS: c}, engine.Options{})
	serial := func() int64 {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + v.addr + "/health")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
			t.Errorf("%s by %s", resp.Status, resp.Proto)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	look := func() { // as after certificateAge
		c.mu.Lock()
		defer c.mu.Unlock()
		c.checked = time.Time{}
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d; want 1", got)
	}
	writeCertificate(t, certFile, keyFile, 2)
	if got := serial(); got != 1 {
		t.Errorf("before it looks again: serial %d; want 1", got)
	}
	look()
	if got := serial(); got != 2 {
		t.Errorf("after the change: serial %d; want 2", got)
	}
	writeCertificate(t, certFile, filepath.Join(dir, "another"), 3) // not that of the key
	look()
	if got := serial(); got != 2 {
		t.Errorf("in the middle of a change: serial %d; want 2", got)
	}
	if err := c.Reload(); err == nil {
		t.Error("a broken pair is taken")
	}
	writeCertificate(t, certFile, keyFile, 4)
	if err := c.Reload(); err != nil || serial() != 4 {
		t.Errorf("at the end: %v, serial %d; want 4", err, serial())
	}
	if status, _ := v.raw(t, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); status != 400 {
		t.Errorf("plain HTTP: %d; want 400", status)
	}
	if _, err := NewCertificate(certFile, filepath.Join(dir, "none"), nil); err == nil {
		t.Error("a missing key is taken")
	}
}
