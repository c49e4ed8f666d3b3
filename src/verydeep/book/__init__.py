"""What Sphinx calls when it builds the book: the extension, its roles and directives, and the generated pages."""
