package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

func tokenCommand(a *app) *cobra.Command {
	return group("token", "Make and read join tokens",
		"  virga token create --role client --verbs read,call --expires 720h\n  virga token inspect - < client.token",
		tokenCreateCommand(a), tokenInspectCommand(a))
}

type tokenOptions struct {
	role        string
	verbs       string
	namespaces  []string
	keyPrefixes []string
	functions   []string
	expires     time.Duration
	bootstrap   []string
}

func tokenCreateCommand(a *app) *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a join token",
		Long: `Make a join token with the root key of the home folder. Who holds it joins the
mesh, as often as they like until it expires, with at most what it grants.`,
		Example: `  virga token create --role node --bootstrap 10.0.0.1:7000
  virga token create --role client --verbs read,call --namespaces shop --expires 720h`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.restrict(cmd.Flags()); err != nil {
				return err
			}
			return runTokenCreate(a, o, time.Now())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.role, "role", "client", "node or client")
	flags.StringVar(&o.verbs, "verbs", admission.AllVerbs.String(), "what its holder may do")
	flags.StringSliceVar(&o.namespaces, "namespaces", nil, "where (default: all namespaces)")
	flags.StringSliceVar(&o.keyPrefixes, "key-prefixes", nil, "keys it may read and write (default: all)")
	flags.StringSliceVar(&o.functions, "functions", nil, "functions and DAGs it may call and deploy (default: all)")
	flags.DurationVar(&o.expires, "expires", 24*time.Hour, "how long it lasts, and the certificates made with it")
	flags.StringSliceVar(&o.bootstrap, "bootstrap", nil, "nodes to join at, as host:port (default: those of the context)")
	return cmd
}

// restrict refuses a restriction without a name in it, such as that of an
// unset variable: its token would grant everything.
func (o tokenOptions) restrict(flags *pflag.FlagSet) error {
	for name, values := range map[string][]string{
		"namespaces": o.namespaces, "key-prefixes": o.keyPrefixes, "functions": o.functions,
	} {
		if flags.Changed(name) && len(values) == 0 {
			return usagef("--%s is empty: expected at least one; without it the token grants all", name)
		}
	}
	return nil
}

func (o tokenOptions) grant(now time.Time) (admission.Grant, error) {
	role, err := admission.ParseRole(o.role)
	if err != nil {
		return admission.Grant{}, err
	}
	verbs, err := admission.ParseVerbs(o.verbs)
	if err != nil {
		return admission.Grant{}, err
	}
	if o.expires <= 0 {
		return admission.Grant{}, usagef("--expires %v: expected a positive duration", o.expires)
	}
	return admission.Grant{
		Role: role, Verbs: verbs, Namespaces: o.namespaces, KeyPrefixes: o.keyPrefixes, Functions: o.functions,
		NotAfter: now.Add(o.expires),
	}, nil
}

func runTokenCreate(a *app, o tokenOptions, now time.Time) error {
	grant, err := o.grant(now)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(rootFile(a.home))
	if err != nil {
		return mesh.Errorf(mesh.NotFound, "token create", "%w: expected a mesh's root key; virga mesh init makes one", err)
	}
	root, err := admission.ParseRoot(pem)
	if err != nil {
		return err
	}
	if len(o.bootstrap) == 0 {
		known := a.contextAddrs()
		o.bootstrap = known[:min(len(known), admission.MaxBootstrap)]
	}
	token, err := root.NewToken(grant, o.bootstrap)
	if err != nil {
		return err
	}
	return a.show(createdToken{token.Text()})
}

type createdToken struct {
	Token string `json:"token"`
}

func (t createdToken) text(w io.Writer) { fmt.Fprintln(w, t.Token) }

func tokenInspectCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "inspect TOKEN",
		Short:   "Tell what a join token grants, without its secret",
		Example: "  virga token inspect - < client.token",
		Args:    exactly("TOKEN"),
		RunE:    func(_ *cobra.Command, args []string) error { return runTokenInspect(a, args[0], time.Now()) },
	}
}

func runTokenInspect(a *app, text string, now time.Time) error {
	token, err := a.readToken(text)
	if err != nil {
		return err
	}
	g, id := token.Grant(), token.ID()
	return a.show(tokenDescription{
		ID: hex.EncodeToString(id[:]), Mesh: token.MeshID().String(), Role: g.Role.String(), Verbs: g.Verbs.String(),
		Namespaces: g.Namespaces, KeyPrefixes: g.KeyPrefixes, Functions: g.Functions, Bootstrap: token.Bootstrap,
		Expires: g.NotAfter.UTC().Format(time.RFC3339), Expired: now.After(g.NotAfter),
	})
}

type tokenDescription struct {
	ID          string   `json:"id"`
	Mesh        string   `json:"mesh"`
	Role        string   `json:"role"`
	Verbs       string   `json:"verbs"`
	Namespaces  []string `json:"namespaces"`
	KeyPrefixes []string `json:"key_prefixes"`
	Functions   []string `json:"functions"`
	Bootstrap   []string `json:"bootstrap"`
	Expires     string   `json:"expires"`
	Expired     bool     `json:"expired"`
}

func (t tokenDescription) text(w io.Writer) {
	expired := ""
	if t.Expired {
		expired = " (expired)"
	}
	fmt.Fprintf(w, "token %s\nmesh %s\nadmits %ss until %s%s\n", t.ID, t.Mesh, t.Role, t.Expires, expired)
	fmt.Fprintf(w, "verbs %s\nnamespaces %s\nkeys %s\nfunctions %s\nbootstrap %s\n",
		t.Verbs, orAll(t.Namespaces), orAll(t.KeyPrefixes), orAll(t.Functions), strings.Join(t.Bootstrap, " "))
}

func orAll(names []string) string {
	if len(names) == 0 {
		return "(all)"
	}
	return strings.Join(names, " ")
}
