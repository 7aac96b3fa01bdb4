"""Small clients and servers, made of libraries that people use: run in namespaces by the tests."""
