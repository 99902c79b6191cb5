"""Mail that comes back: what it says (bounce, complaint, reply …), of which send, and what follows from that."""
