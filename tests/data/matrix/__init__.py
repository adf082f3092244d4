"""Every oddity of cells by every path that reads them."""
