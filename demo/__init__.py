"""The demo province: synthetic people in real places, sent by a client like any integrator's."""
