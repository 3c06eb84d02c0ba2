"""The shell: observes the cluster, asks `decide`, and acts."""
