"""What the stage mix decides, each question in a file of its own: what is left out and why, who belongs together, who validates."""
