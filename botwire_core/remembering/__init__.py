"""What an agent of any framework remembers, recalls, lists and forgets with; adapters give it the framework's shape."""
