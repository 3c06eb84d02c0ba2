"""What the page shows, as plain values made of plain values."""
