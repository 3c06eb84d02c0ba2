"""Shadow: decisions of both arms compared, off the path of every request."""
