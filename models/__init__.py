"""What can run on this machine: language models, embedders, trainers. Knows no data set and no screen."""
