package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"time"
)

// keyPair is a certificate and its key, both in PEM.
type keyPair struct{ Certificate, Key []byte }

// certified is the certificate of all services. It uses P-256, as gateways do, because a handshake
// with RSA would measure little more than the server's signature. This process trusts the
// certificate from now on, because x509usefallbackroots=1 makes the fallback roots the trusted
// ones.
var certified = sync.OnceValue(func() keyPair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	exitOn(err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	exitOn(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	exitOn(err)
	pair := keyPair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pair.Certificate)
	x509.SetFallbackRoots(roots)
	return pair
})
