"""Git objects, references and commands; the only package with pygit2."""
