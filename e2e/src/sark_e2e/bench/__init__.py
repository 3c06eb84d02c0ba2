"""`make bench`: decisions a second and latencies of both arms beside a bare responder, and how soon a breach is answered."""
