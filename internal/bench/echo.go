package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// EchoSize is the length of the floor's messages in bytes.
const EchoSize = 100

const echoALPN = "virga-bench-echo"

// EchoServer answers every byte with itself: over plain UDP datagrams, and
// over QUIC streams. It is the other side of the floors, and runs in a
// process of its own.
type EchoServer struct {
	udp      *net.UDPConn
	quicPort *net.UDPConn
	listener *quic.Listener
	serving  sync.WaitGroup
}

// ListenEcho starts the server on free loopback ports with these QUIC settings.
func ListenEcho(settings *quic.Config) (*EchoServer, error) {
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	udp, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return nil, err
	}
	quicPort, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return nil, errors.Join(err, udp.Close())
	}
	certificate, err := selfSigned()
	if err != nil {
		return nil, errors.Join(err, udp.Close(), quicPort.Close())
	}
	listener, err := quic.Listen(quicPort, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{echoALPN}}, settings)
	if err != nil {
		return nil, errors.Join(err, udp.Close(), quicPort.Close())
	}
	s := &EchoServer{udp: udp, quicPort: quicPort, listener: listener}
	s.serving.Go(s.serveUDP)
	s.serving.Go(s.serveQUIC)
	return s, nil
}

// UDPAddr is where it answers datagrams.
func (s *EchoServer) UDPAddr() string { return s.udp.LocalAddr().String() }

// QUICAddr is where it takes QUIC connections.
func (s *EchoServer) QUICAddr() string { return s.quicPort.LocalAddr().String() }

// Close stops the server and waits for its goroutines.
func (s *EchoServer) Close() error {
	err := errors.Join(s.udp.Close(), s.listener.Close(), s.quicPort.Close())
	s.serving.Wait()
	return err
}

func (s *EchoServer) serveUDP() {
	var buf [2048]byte
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		if _, err := s.udp.WriteToUDPAddrPort(buf[:n], from); err != nil {
			return
		}
	}
}

func (s *EchoServer) serveQUIC() {
	for {
		conn, err := s.listener.Accept(context.Background())
		if err != nil {
			return
		}
		s.serving.Go(func() { s.serveConn(conn) })
	}
}

func (s *EchoServer) serveConn(conn *quic.Conn) {
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		s.serving.Go(func() {
			io.CopyBuffer(writerOnly{stream}, stream, make([]byte, 64<<10)) // ends with the connection
		})
	}
}

// writerOnly hides ReadFrom, so that CopyBuffer uses its buffer.
type writerOnly struct{ io.Writer }

func selfSigned() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}
