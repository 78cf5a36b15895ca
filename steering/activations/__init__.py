"""What every site did on every pair at every noise level: capturing it, and its file."""
